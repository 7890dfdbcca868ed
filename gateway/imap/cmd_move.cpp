// RFC 6851.
#include "gateway/imap/commands.h"
#include "gateway/imap/copying.h"

namespace gateway::imap {

awaitable<Reply> cmd_move(Session& s, wire::imap::CommandLine& line) { return copy_messages(s, line, true); }

}  // namespace gateway::imap
