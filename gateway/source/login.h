// Who may act as whom: turns credentials into an account. Called on any core that accepts clients; the awaitable
// resumes there. The account may live on another core: the caller moves itself to account->executor() before it calls
// anything. Must outlive every session. Passwords are secrets: implementations neither log nor keep them.
#pragma once

#include <string>

#include "gateway/source/account.h"

namespace gateway::source {

class Login {
 public:
  virtual ~Login() = default;

  // `user` is whose password it is, `authzid` whom to act as (empty: `user`), both as the client typed them.
  // Errc::auth: wrong, or not allowed; nothing says which. Errc::unavailable: nobody can tell now.
  virtual awaitable<Result<MailAccountPtr>> login(std::string user, std::string authzid, std::string password,
                                                  std::string client_address, bool tls) = 0;
};

}  // namespace gateway::source
