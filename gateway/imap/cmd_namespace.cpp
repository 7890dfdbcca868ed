// RFC 2342.
#include "gateway/imap/commands.h"

namespace gateway::imap {

awaitable<Reply> cmd_namespace(Session& s, wire::imap::CommandLine&) {
  // The prefix is the source's: a copy that has never been brought up to date does not know it.
  auto tree = co_await s.account().tree();
  if (!tree) co_return reply_to(tree.error(), s.asker());
  wire::imap::Writer w(s.out());
  w.raw("* ");
  write(w, s.account().namespaces());
  w.crlf();
  co_return Reply::ok("Done");
}

}  // namespace gateway::imap
