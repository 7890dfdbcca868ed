// RFC 3501 6.3.2.
#include "gateway/imap/commands.h"
#include "gateway/imap/select.h"

namespace gateway::imap {

awaitable<Reply> cmd_examine(Session& s, wire::imap::CommandLine& line) { return open_mailbox(s, line, false); }

}  // namespace gateway::imap
