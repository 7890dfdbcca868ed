// RFC 3501 6.3.6. A name need not exist, now or ever.
#include "gateway/imap/commands.h"
#include "wire/imap/cmd/mailbox.h"

namespace gateway::imap {

awaitable<Reply> cmd_subscribe(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Subscribe>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  s.about(args->mailbox.octets, 0);
  auto done = co_await s.account().subscribe(std::move(args->mailbox.octets), true);
  if (!done && done.error().code == Errc::malformed) co_return Reply::no(Code::cannot, done.error().note);
  if (!done) co_return reply_to(done.error(), s.asker());
  co_return Reply::ok("Subscribed");
}

}  // namespace gateway::imap
