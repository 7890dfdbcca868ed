// RFC 3691: leaves the mailbox and removes nothing.
#include "gateway/imap/commands.h"

namespace gateway::imap {

awaitable<Reply> cmd_unselect(Session& s, wire::imap::CommandLine&) {
  s.about(s.selected()->box->info().name, 0);
  s.unselect();
  co_return Reply::ok("Unselected");
}

}  // namespace gateway::imap
