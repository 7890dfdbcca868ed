// RFC 3501 6.2.3.
#include "gateway/imap/commands.h"
#include "wire/imap/cmd/login.h"

namespace gateway::imap {

awaitable<Reply> cmd_login(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Login>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  co_return co_await s.log_in(std::move(args->user), std::string(), std::move(args->password));
}

}  // namespace gateway::imap
