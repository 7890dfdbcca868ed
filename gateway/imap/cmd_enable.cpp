// RFC 5161, with CONDSTORE and QRESYNC (RFC 7162 3.2.3). What is not known is ignored.
#include "gateway/imap/commands.h"
#include "wire/imap/cmd/session.h"

namespace gateway::imap {

awaitable<Reply> cmd_enable(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Enable>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  std::string enabled;
  if (args->capabilities.has("CONDSTORE")) {
    s.enable_condstore();
    enabled += " CONDSTORE";
  }
  if (args->capabilities.has("QRESYNC")) {
    s.enable_qresync();
    enabled += " QRESYNC";
  }
  s.out() += "* ENABLED" + enabled + "\r\n";
  co_return Reply::ok("Done");
}

}  // namespace gateway::imap
