// RFC 3501 6.3.10.
#include "gateway/imap/commands.h"
#include "gateway/imap/status.h"
#include "wire/imap/cmd/mailbox.h"

namespace gateway::imap {

awaitable<Reply> cmd_status(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Status>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  if (unsupported_items(args->items)) co_return Reply::bad("Unknown STATUS item");
  s.about(args->mailbox.octets, 1);
  auto done = co_await write_status(s, std::move(args->mailbox.octets), args->items);
  if (!done) co_return reply_to(done.error(), s.asker());
  co_return Reply::ok("Done");
}

}  // namespace gateway::imap
