// RFC 3501 6.3.5.
#include "gateway/imap/commands.h"
#include "wire/imap/cmd/mailbox.h"

namespace gateway::imap {

awaitable<Reply> cmd_rename(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Rename>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  std::string from = std::move(args->from.octets), to = std::move(args->to.octets);
  s.about(from, 0);
  if (to.size() > 1 && to.back() == s.account().separator()) to.pop_back();
  auto done = co_await s.account().rename(std::move(from), std::move(to));
  if (!done && done.error().code == Errc::malformed) co_return Reply::no(Code::cannot, done.error().note);
  if (!done) co_return reply_to(done.error(), s.asker());
  co_return Reply::ok("Renamed");
}

}  // namespace gateway::imap
