#include "gateway/login.h"

#include "gateway/control/seal.h"
#include "gateway/control/secret.h"
#include "gateway/source/upstream_connect.h"
#include "gateway/source/user_account.h"
#include "imapc/connection.h"
#include "wire/net/pool.h"
#include "wire/net/wheel.h"

namespace gateway {

namespace {

using control::Control;
using wire::net::run_on_pool;

constexpr wire::net::Timeout upstream_connect_patience{10'000};
constexpr wire::net::Timeout upstream_login_patience{30'000};
constexpr wire::net::Timeout turn_step{250};
constexpr wire::net::Timeout turn_patience{30'000};

Failure wrong() { return Failure(Errc::auth, "user or password is wrong"); }

}  // namespace

LoginService::LoginService(source::Services& services, asio::thread_pool& passwords, Log& log)
    : services_(services), passwords_(passwords), log_(log) {
  Result<std::string> decoy = control::hash_password("nobody has this password");
  if (decoy) decoy_hash_ = *decoy;
}

awaitable<void> LoginService::pretend(std::string password) {
  // Shared with the pool, which goes on when the client has gone.
  auto held = std::make_shared<const control::Secret>(std::move(password));
  auto work = [held, hash = decoy_hash_] { return control::password_matches(held->value(), hash); };
  const bool matched = co_await run_on_pool(passwords_, work);
  (void)matched;
}

awaitable<Result<bool>> LoginService::check_hash(std::string user, std::string password) {
  auto held = std::make_shared<const control::Secret>(std::move(password));
  Control* control = &services_.control;
  auto work = [control, user, held] { return control->check_own_password(user, held->value()); };
  Result<std::optional<bool>> checked = co_await run_on_pool(passwords_, work);
  if (!checked) co_return checked.error();
  co_return checked->value_or(false);
}

awaitable<Result<void>> LoginService::ask_upstream(std::string upstream, std::string user, std::string password) {
  const control::Secret held(std::move(password));
  const auto known = services_.config.upstreams.find(upstream);
  if (known == services_.config.upstreams.end()) {
    co_return Failure(Errc::unavailable, "the upstream '" + upstream + "' is no longer in the configuration");
  }
  Result<imapc::Endpoint> endpoint = source::endpoint_of(known->second);
  if (!endpoint) co_return endpoint.error();
  imapc::Options options = source::connection_options(known->second);
  options.connect_timeout = upstream_connect_patience;
  options.login_timeout = upstream_login_patience;
  options.compress = false;
  options.enable.clear();
  const asio::any_io_executor here = co_await asio::this_coro::executor;
  const std::shared_ptr<source::UpstreamBudget> budget = services_.registry->budget_of(known->second);
  auto place = co_await budget->take(source::UpstreamBudget::Use::session, upstream_login_patience);
  if (!place) co_return place.error();
  // A connection that ends before the answer says nothing of the password: it is asked once more, as a busy server
  // drops some. One that takes its time has had all there is.
  for (int attempt = 1;; ++attempt) {
    imapc::Credentials credentials;
    credentials.user = user;
    credentials.password = imapc::Secret(std::string(held.value()));
    imapc::Endpoint where = *endpoint;
    imapc::Options how = options;
    Result<std::unique_ptr<imapc::Connection>> connection =
        co_await imapc::Connection::open(here, std::move(where), std::move(credentials), std::move(how));
    if (connection) {
      co_await (*connection)->logout();
      co_return Result<void>();
    }
    const Failure& why = connection.error();
    if (why.code == Errc::auth) co_return wrong();
    const bool again = attempt == 1 && (why.code == Errc::unavailable || why.code == Errc::io);
    log_.warning("upstream login not possible",
                 {{"upstream", upstream}, {"why", why.describe()}, {"again", again ? "yes" : "no"}});
    if (!again) co_return Failure(Errc::unavailable, "the mail server behind this gateway cannot be asked now");
  }
}

awaitable<Result<std::string>> LoginService::enrol(std::string canonical, std::string password) {
  Control* control = &services_.control;
  auto look = [control, canonical] { return control->removed(canonical); };
  Result<bool> removed = co_await run_on_pool(services_.blocking, look);
  if (!removed) co_return Failure(Errc::unavailable, "the control database cannot be read");
  const std::optional<std::string>& upstream = services_.config.default_upstream;
  if (!upstream || !services_.config.upstream_login) {
    co_await pretend(std::move(password));
    co_return wrong();
  }
  Result<void> asked = co_await ask_upstream(*upstream, canonical, std::move(password));
  if (!asked) co_return asked.error();
  // Refused only here, so that a removed user's wrong password takes as long as anybody's.
  if (*removed) co_return wrong();
  control::User user;
  user.name = canonical;
  user.upstream = *upstream;
  user.placement.owner = control::Owner::upstream;
  user.placement.epoch = wire::base::Epoch(1);
  auto add = [control, user]() -> Result<void> {
    // Looked up again: an operator may have removed the user while the upstream was asked.
    Result<bool> gone = control->removed(user.name);
    if (!gone) return gone.error();
    if (*gone) return wrong();
    return control->add_user(user);
  };
  Result<void> added = co_await run_on_pool(services_.blocking, add);
  // Two first logins at once: the other one enrolled the user.
  if (!added && added.error().code != Errc::exists) {
    if (added.error().code == Errc::auth) co_return wrong();
    co_return Failure(Errc::unavailable, "the user cannot be enrolled now: " + added.error().note);
  }
  if (added) log_.info("user enrolled", {{"user", canonical}, {"upstream", *upstream}});
  co_return canonical;
}

awaitable<Result<std::string>> LoginService::prove(std::string canonical, std::string authzid, std::string password) {
  Control* control = &services_.control;
  auto look = [control, canonical] { return control->find_user(canonical); };
  Result<std::optional<control::User>> found = co_await run_on_pool(services_.blocking, look);
  if (!found) co_return Failure(Errc::unavailable, "the control database cannot be read");
  if (!authzid.empty()) {
    // Acting as somebody else is for administrators, and this gateway has none of its own: only one's own other names.
    Result<std::string> as = services_.config.canonical_user(authzid);
    bool same = as && *as == canonical;
    if (as && !same && *found) {
      const std::vector<std::string>& aliases = (*found)->aliases;
      same = *as == (*found)->name || std::find(aliases.begin(), aliases.end(), *as) != aliases.end();
    }
    if (!same) {
      co_await pretend(std::move(password));
      co_return wrong();
    }
  }
  if (!*found) co_return co_await enrol(std::move(canonical), std::move(password));
  const control::User& user = **found;
  if (user.has_own_password) {
    Result<bool> right = co_await check_hash(user.name, std::move(password));
    if (!right) co_return Failure(Errc::unavailable, "the control database cannot be read");
    if (!*right) co_return wrong();
    co_return user.name;
  }
  if (user.upstream.empty() || !services_.config.upstream_login) {
    co_await pretend(std::move(password));
    co_return wrong();
  }
  Result<void> asked = co_await ask_upstream(user.upstream, user.name, std::move(password));
  if (!asked) co_return asked.error();
  co_return user.name;
}

awaitable<LoginGuard::Answer> LoginService::wait_for_turn(LoginGuard::Attempt& attempt) {
  LoginGuard::Answer answer = attempt.admit(services_.env.now());
  for (wire::net::Timeout waited{0}; answer == LoginGuard::Answer::busy && waited < turn_patience;
       waited += turn_step) {
    co_await wire::net::sleep_for(turn_step);
    answer = attempt.admit(services_.env.now());
  }
  co_return answer;
}

awaitable<Result<source::MailAccountPtr>> LoginService::login(std::string user, std::string authzid,
                                                              std::string password, std::string client_address,
                                                              bool tls) {
  (void)tls;  // whether a password may come without TLS is the session's to say, before it has one
  const control::Secret held(std::move(password));
  Result<std::string> canonical = services_.config.canonical_user(user);
  const std::string who = canonical ? *canonical : std::string();
  LoginGuard::Attempt attempt(guard_, who, client_address);
  const LoginGuard::Answer answer = co_await wait_for_turn(attempt);
  if (answer == LoginGuard::Answer::busy) {
    log_.info("too many logins at once", {{"user", wire::base::escape(user)}, {"client", client_address}});
    co_return Failure(Errc::unavailable, "too many logins at once; try again");
  }
  if (answer == LoginGuard::Answer::refused) {
    log_.info("too many wrong passwords", {{"user", wire::base::escape(user)}, {"client", client_address}});
    co_return Failure(Errc::unavailable, "too many wrong passwords; try again in some minutes");
  }
  if (!canonical || held.empty()) {
    co_await pretend(held.value());
    co_return wrong();
  }
  Result<std::string> name = co_await prove(who, std::move(authzid), held.value());
  if (!name) {
    if (name.error().code != Errc::auth) attempt.forgive();
    co_return name.error();
  }
  attempt.forgive();
  Result<std::shared_ptr<source::UserAccount>> account = co_await services_.registry->open(*name, held.value());
  if (!account) {
    log_.warning("the account cannot be opened", {{"user", *name}, {"why", account.error().describe()}});
    if (account.error().code == Errc::not_found) co_return wrong();  // removed this very moment
    co_return Failure(Errc::unavailable, "the account cannot be opened now");
  }
  co_return source::MailAccountPtr(*account);
}

}  // namespace gateway
