// RFC 2971. What the client says of itself goes to the log, escaped; it never decides anything here.
#include <spdlog/spdlog.h>

#include "gateway/imap/commands.h"
#include "wire/imap/cmd/session.h"

namespace gateway::imap {

awaitable<Reply> cmd_id(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Id>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  const std::string* name = args->params.find("name");
  const std::string* version = args->params.find("version");
  if (name) {
    spdlog::debug("client {} is {} {}", s.client_address(), wire::base::escape(*name),
                  version ? wire::base::escape(*version) : std::string());
  }
  s.out() += "* ID (\"name\" \"Fairlead\")\r\n";
  co_return Reply::ok("Done");
}

}  // namespace gateway::imap
