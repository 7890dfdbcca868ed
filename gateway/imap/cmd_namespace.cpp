// RFC 2342. Only the personal namespace is served from the copy (design 9).
#include "gateway/imap/commands.h"
#include "wire/imap/namespace_data.h"

namespace gateway::imap {

awaitable<Reply> cmd_namespace(Session& s, wire::imap::CommandLine&) {
  // The prefix is the source's: a copy that has never been brought up to date does not know it.
  auto tree = co_await s.account().tree();
  if (!tree) co_return reply_to(tree.error(), s.asker());
  wire::imap::NamespaceData data;
  data.personal.push_back({s.account().prefix(), s.account().separator()});
  wire::imap::Writer w(s.out());
  w.raw("* ");
  write(w, data);
  w.crlf();
  co_return Reply::ok("Done");
}

}  // namespace gateway::imap
