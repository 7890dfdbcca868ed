// RFC 3501 6.1.2: asks the owner what is new; the dispatcher tells it.
#include "gateway/imap/commands.h"

namespace gateway::imap {

awaitable<Reply> cmd_noop(Session& s, wire::imap::CommandLine&) {
  if (s.selected()) {
    auto done = co_await s.account().refresh(s.selected()->box);
    // A poll that fails is no reason to fail a NOOP: what the copy holds is still right to show.
    if (!done && done.error().code != Errc::unavailable && done.error().code != Errc::timeout) {
      co_return reply_to(done.error(), s.asker());
    }
  }
  co_return Reply::ok("Done");
}

}  // namespace gateway::imap
