// Who may log in: the canonical user's own hash where there is one, else a login at the upstream, before and after a
// commit alike. Enrols unknown users at the default upstream once it has accepted them, and never a removed one.
// See gateway/source/login.h for what callers may expect.
#pragma once

#include <memory>
#include <string>

#include "gateway/log.h"
#include "gateway/login_guard.h"
#include "gateway/source/login.h"
#include "gateway/source/registry.h"

namespace gateway {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

class LoginService final : public source::Login {
 public:
  // All of them outlive it. `passwords`: where hashes are computed.
  LoginService(source::Services& services, asio::thread_pool& passwords, Log& log);

  awaitable<Result<source::MailAccountPtr>> login(std::string user, std::string authzid, std::string password,
                                                  std::string client_address, bool tls) override;

 private:
  // Waits while so many logins run that one more may be a guess too many.
  awaitable<LoginGuard::Answer> wait_for_turn(LoginGuard::Attempt& attempt);
  // Who it is, once proven. Errc::auth: nobody, or somebody else.
  awaitable<Result<std::string>> prove(std::string canonical, std::string authzid, std::string password);
  awaitable<Result<std::string>> enrol(std::string canonical, std::string password);
  awaitable<Result<void>> ask_upstream(std::string upstream, std::string user, std::string password);
  awaitable<Result<bool>> check_hash(std::string user, std::string password);
  // As long as a real check, so that the time does not tell who exists.
  awaitable<void> pretend(std::string password);

  source::Services& services_;
  asio::thread_pool& passwords_;
  Log& log_;
  const std::shared_ptr<LoginGuard> guard_ = std::make_shared<LoginGuard>();
  std::string decoy_hash_;
};

}  // namespace gateway
