// RFC 3501 6.4.1: whatever was acknowledged is durable already, so that a CHECK is a NOOP.
#include "gateway/imap/commands.h"

namespace gateway::imap {

awaitable<Reply> cmd_check(Session& s, wire::imap::CommandLine& line) { return cmd_noop(s, line); }

}  // namespace gateway::imap
