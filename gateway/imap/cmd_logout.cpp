// RFC 3501 6.1.3.
#include "gateway/imap/commands.h"

namespace gateway::imap {

awaitable<Reply> cmd_logout(Session& s, wire::imap::CommandLine&) {
  s.log_out("Good bye");
  co_return Reply::ok("Logged out");
}

}  // namespace gateway::imap
