// RFC 3501 6.3.1.
#include "gateway/imap/commands.h"
#include "gateway/imap/select.h"

namespace gateway::imap {

awaitable<Reply> cmd_select(Session& s, wire::imap::CommandLine& line) { return open_mailbox(s, line, true); }

}  // namespace gateway::imap
