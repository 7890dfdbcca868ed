// RFC 2177. While the client waits, nothing is held but its place: the watcher wakes it.
#include "gateway/imap/commands.h"

namespace gateway::imap {

awaitable<Reply> cmd_idle(Session& s, wire::imap::CommandLine&) {
  if (s.selected()) s.about(s.selected()->box->info().name, 0);
  s.out() += "+ idling\r\n";
  auto line = co_await s.idle_until_line();
  if (!line) co_return Reply::ok("Done");
  if (!wire::base::iequals(*line, "DONE")) co_return Reply::bad("Expected DONE");
  co_return Reply::ok("Done");
}

}  // namespace gateway::imap
