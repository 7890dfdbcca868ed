// RFC 3501 6.1.1.
#include "gateway/imap/commands.h"

namespace gateway::imap {

awaitable<Reply> cmd_capability(Session& s, wire::imap::CommandLine&) {
  s.out() += "* CAPABILITY " + capability_text(s) + "\r\n";
  co_return Reply::ok("Done");
}

}  // namespace gateway::imap
