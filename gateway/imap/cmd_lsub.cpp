// RFC 3501 6.3.9.
#include "gateway/imap/commands.h"
#include "gateway/imap/listing.h"

namespace gateway::imap {

awaitable<Reply> cmd_lsub(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Lsub>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  auto tree = co_await s.account().tree();
  if (!tree) co_return reply_to(tree.error(), s.asker());
  const std::vector<std::string> patterns(1, args->pattern);
  const bool parents = args->pattern.ends_with('%');
  const auto ok = affordable(**tree, args->reference, patterns, !parents);
  if (!ok) co_return reply_to(ok.error(), s.asker());
  auto answer = lsub(**tree, s.account().separator(), *args);
  s.about(args->reference + args->pattern, answer.size());
  for (const auto& data : answer) {
    wire::imap::Writer w(s.out());
    write_line(w, data);
    co_await s.flush_if_full();
  }
  co_return Reply::ok("Listed");
}

}  // namespace gateway::imap
