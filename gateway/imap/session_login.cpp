// How a session comes to its account and leaves it again; STARTTLS; what the client enables.
#include <openssl/crypto.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "gateway/imap/commands.h"
#include "wire/net/wheel.h"

namespace gateway::imap {

awaitable<Reply> Session::log_in(std::string user, std::string authzid, std::string password) {
  if (!login_allowed()) {
    OPENSSL_cleanse(password.data(), password.size());
    co_return Reply::no(Code::privacy_required, "Use STARTTLS first");
  }
  auto account = co_await environment_->login->login(user, authzid, password, client_address_, stream_->is_tls());
  OPENSSL_cleanse(password.data(), password.size());
  if (!account) {
    const Failure& why = account.error();
    if (why.code != Errc::auth) co_return reply_to(why, Asker{user, client_address_, "LOGIN"});
    spdlog::info("client {}: login of {} refused", client_address_, wire::base::escape(user));
    co_await wire::net::sleep_for(environment_->after_wrong_password);
    if (++wrong_passwords_ >= environment_->wrong_passwords) log_out("Too many failed logins");
    co_return Reply::no(Code::authentication_failed, "User or password is wrong");
  }
  auto admitted = ticket_->set_user((*account)->user());
  if (!admitted) co_return reply_to(admitted.error(), Asker{user, client_address_, "LOGIN"});
  account_ = std::move(*account);
  state_ = State::authenticated;
  framer_.set_limits(wire::imap::FramerLimits());
  // Also on the same core: run() is simply entered again there.
  moves_to_ = account_->executor();
  RespCode code(Code::capability);
  std::istringstream words(capability_text(*this));
  for (std::string word; words >> word;) code.capabilities.add(word);
  co_return Reply::ok(std::move(code), "Logged in");
}

void Session::continue_on(asio::any_io_executor core) {
  pushes_.reset();
  if (ticket_) ticket_->on_leave([](const std::string&) {});
  if (core != stream_->executor()) stream_->rebind(core);
  moves_to_.reset();
}

void Session::attach_account() { account_->add_watcher(this); }

void Session::detach() {
  unselect();
  if (pushes_) pushes_->cancel_all();
  if (account_ && greeted_ && !moves_to_) account_->remove_watcher(this);
  ticket_.reset();
}

awaitable<Result<void>> Session::start_tls(std::string reply) {
  if (!input_.empty()) co_return Failure(Errc::refused, "Commands may not follow STARTTLS in the same breath");
  co_await flush();
  std::string().swap(buffer_);
  auto done = co_await stream_->start_tls_server(environment_->tls, std::move(reply), patience());
  if (!done) co_return done.error();
  ticket_->set_tls();
  co_return Result<void>();
}

void Session::enable_condstore() {
  if (condstore_) return;
  condstore_ = true;
  if (!selected_) return;
  out_ += "* OK [HIGHESTMODSEQ ";
  append_number(out_, selected_->view.shown()->info().highest_modseq.value);
  out_ += "] Highest\r\n";
}

void Session::enable_qresync() {
  enable_condstore();
  qresync_ = true;
}

}  // namespace gateway::imap
