// RFC 3501 6.2.2 with an initial response (RFC 4959). PLAIN (RFC 4616).
#include <openssl/crypto.h>

#include "gateway/imap/commands.h"
#include "gateway/imap/sasl_plain.h"
#include "wire/imap/cmd/login.h"

namespace gateway::imap {

awaitable<Reply> cmd_authenticate(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Authenticate>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  if (args->mechanism != "PLAIN") co_return Reply::no(Code::cannot, "Unknown authentication mechanism");
  if (!s.login_allowed()) co_return Reply::no(Code::privacy_required, "Use STARTTLS first");
  std::string response;
  if (args->initial) {
    response = std::move(*args->initial);
  } else {
    s.out() += "+ \r\n";
    auto answer = co_await s.read_line();
    if (!answer) co_return Reply::bad("No response");
    response = std::move(*answer);
    if (response == "*") co_return Reply::bad("Authentication cancelled");
  }
  auto plain = parse_sasl_plain(response);
  OPENSSL_cleanse(response.data(), response.size());
  if (!plain) co_return Reply::bad(plain.error().note);
  co_return co_await s.log_in(std::move(plain->user), std::move(plain->authzid), std::move(plain->password));
}

}  // namespace gateway::imap
