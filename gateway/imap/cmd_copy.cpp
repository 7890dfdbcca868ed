// RFC 3501 6.4.7.
#include "gateway/imap/commands.h"
#include "gateway/imap/copying.h"

namespace gateway::imap {

awaitable<Reply> cmd_copy(Session& s, wire::imap::CommandLine& line) { return copy_messages(s, line, false); }

}  // namespace gateway::imap
