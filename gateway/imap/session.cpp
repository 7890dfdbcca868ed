#include "gateway/imap/session.h"

#include <openssl/crypto.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "gateway/imap/commands.h"
#include "wire/net/wheel.h"

namespace gateway::imap {
namespace {

// How many times the silence allowed before a login all of it may take: a stranger who sends a byte a minute goes too.
constexpr int stranger_patience = 3;
// Before a login a stranger gets little memory.
constexpr wire::imap::FramerLimits stranger_limits{.max_line = 8 * 1024,
                                                   .max_inline_literal = 8 * 1024,
                                                   .max_literals = 10,
                                                   .max_inline_total = 16 * 1024,
                                                   .max_discard = 64 * 1024};

}  // namespace

Session::Session(std::shared_ptr<const Environment> environment, wire::net::StreamPtr stream,
                 config::ListenSecurity security)
    : environment_(std::move(environment)),
      stream_(std::move(stream)),
      security_(security),
      client_address_(stream_->peer().host),
      framer_(wire::imap::Framer::Side::server, stranger_limits) {}

Session::~Session() = default;

Asker Session::asker() const { return {account_ ? account_->user() : std::string(), client_address_, access_.command}; }

std::chrono::milliseconds Session::patience() const {
  return state_ == State::not_authenticated ? environment_->silent_before_login : environment_->silent_after_login;
}

bool Session::tls_possible() const {
  return security_ == config::ListenSecurity::starttls && environment_->tls && !stream_->is_tls();
}

bool Session::login_allowed() const { return stream_->is_tls() || environment_->config->allow_plaintext; }

// --- the loop

awaitable<void> Session::run() {
  const asio::any_io_executor core = co_await asio::this_coro::executor;
  pushes_.emplace(core, [](const std::string&, std::exception_ptr) {});  // the reader sees that the client is gone
  if (!greeted_) {
    co_await greet();
  } else {
    attach_account();
  }
  if (ticket_) {
    std::weak_ptr<Session> weak = weak_from_this();
    ticket_->on_leave([weak, core](const std::string& why) {
      asio::post(core, [weak, why] {
        if (auto self = weak.lock()) self->must_leave(why);
      });
    });
  }
  std::exception_ptr error;
  try {
    while (state_ != State::logout && !moves_to_) {
      const bool complete = co_await next_frame();
      if (complete) co_await execute();
    }
    co_await flush();
  } catch (...) {
    error = std::current_exception();
  }
  if (moves_to_ && !error) co_return;
  detach();
  if (error) {
    stream_->close();
    std::rethrow_exception(error);
  }
  co_await stream_->shutdown(std::chrono::seconds(2));
}

awaitable<void> Session::greet() {
  greeted_ = true;
  auto ticket = environment_->sessions->enter("imap", client_address_, security_ == config::ListenSecurity::tls);
  if (ticket && security_ == config::ListenSecurity::tls) {
    auto handshake = Result<void>(Failure(Errc::unsupported, "no certificate is configured"));
    if (environment_->tls) {
      handshake = co_await stream_->start_tls_server(environment_->tls, std::string(), patience());
    }
    if (!handshake) {
      spdlog::info("client {}: TLS handshake failed: {}", client_address_, handshake.error().describe());
      state_ = State::logout;
      co_return;
    }
  }
  if (!ticket) {
    log_out(ticket.error().note);
    co_return;
  }
  ticket_ = std::move(*ticket);
  out_ += "* OK [CAPABILITY " + capability_text(*this) + "] Fairlead ready\r\n";
}

awaitable<bool> Session::next_frame() {
  using Event = wire::imap::Framer::Event;
  for (;;) {
    if (state_ == State::logout) co_return false;
    auto event = framer_.next(input_);
    if (!event) {
      // The bytes cannot be trusted any more: say what was wrong, to whom, and go.
      out_ += wire::imap::tag_of(framer_.text()) + " BAD " + event.error().note + "\r\n";
      log_out(event.error().note);
      co_return false;
    }
    switch (*event) {
      case Event::frame:
        co_return true;
      case Event::literal:
        co_await on_literal();
        break;
      case Event::chunk:
        on_chunk();
        break;
      case Event::more: {
        const bool filled = co_await fill();
        if (!filled) co_return false;
        break;
      }
    }
  }
}

// All input is used up: whatever was answered goes out, then wait for more, without a buffer between commands.
awaitable<bool> Session::fill() {
  for (;;) {
    co_await flush();
    if (leave_why_) {
      log_out(*leave_why_);
      co_return false;
    }
    if (!change_to_push()) break;
    advance(true);
    if (state_ == State::logout) co_return false;
  }
  if (state_ == State::not_authenticated &&
      std::chrono::steady_clock::now() - connected_ > stranger_patience * patience()) {
    log_out("Too slow");
    co_return false;
  }
  if (framer_.idle()) {
    framer_.release();
    std::string().swap(buffer_);
    std::string().swap(out_);
  }
  input_ = {};
  parked_ = true;
  auto ready = co_await stream_->wait_readable(patience());
  parked_ = false;
  if (pushing_) co_await pushes_->join();
  if (state_ == State::logout) co_return false;
  if (!ready) {
    if (ready.error().code == Errc::timeout) log_out("Idle for too long");
    state_ = State::logout;
    co_return false;
  }
  buffer_.resize(incoming_ ? 64 * 1024 : 16 * 1024);
  auto n = co_await stream_->read_some(std::span<char>(buffer_.data(), buffer_.size()), patience());
  if (!n || *n == 0) {
    state_ = State::logout;
    co_return false;
  }
  input_ = std::string_view(buffer_).substr(0, *n);
  co_return true;
}

awaitable<void> Session::flush() {
  if (out_.empty()) co_return;
  auto written = co_await stream_->write_all(std::string_view(out_), environment_->write_stall);
  if (!written) throw wire::base::FailureError(written.error());
  out_.clear();
}

awaitable<void> Session::flush_if_full() {
  if (!full()) co_return;
  co_await flush();
  co_await asio::post(asio::use_awaitable);
}

awaitable<std::optional<std::string>> Session::read_line() {
  const bool complete = co_await next_frame();
  if (!complete) co_return std::nullopt;
  co_return std::string(framer_.frame().text);
}

// --- literals

awaitable<void> Session::on_literal() {
  const wire::imap::AnnouncedLiteral literal = framer_.announced();
  auto append = wire::imap::cmd::parse_append_so_far(framer_.text(), framer_.literals_so_far());
  if (append && (static_cast<uint8_t>(state_) & 6) != 0) {
    auto refusal = co_await prepare_append(*append);
    if (refusal) {
      refuse_literal("APPEND", append->mailbox.octets, *refusal);
      co_return;
    }
    framer_.stream();
  } else if (literal.size >
             (state_ == State::not_authenticated ? stranger_limits : wire::imap::FramerLimits()).max_inline_literal) {
    refuse_literal(std::string(), std::string(), Reply{Condition::bad, Code::limit, "Literal is too large here"});
    co_return;
  }
  if (literal.synchronizing) out_ += "+ OK\r\n";
}

void Session::refuse_literal(std::string command, std::string mailbox, const Reply& reply) {
  access_ = AccessRecord();
  access_.command = std::move(command);
  access_.mailbox = std::move(mailbox);
  command_start_ = std::chrono::steady_clock::now();
  bytes_out_before_ = stream_->bytes_written() + out_.size();
  finish_command(wire::imap::tag_of(framer_.text()), reply);
  framer_.refuse();
}

// What can be known before the message is sent is answered before (RFC 3501 6.3.11).
awaitable<std::optional<Reply>> Session::prepare_append(const wire::imap::cmd::Append& append) {
  incoming_.reset();
  if (append.messages.size() != 1) co_return Reply::no(Code::cannot, "One message at a time, please");
  const auto& message = append.messages.back();
  if (message.binary) co_return Reply::no(Code::unknown_cte, "Binary literals are not supported");
  if (message.size == 0) co_return Reply::no(Code::cannot, "A message cannot be empty");
  if (message.size > environment_->config->max_append_bytes) {
    co_return Reply::no(Code::too_big, "Message is larger than this server takes");
  }
  for (const std::string& keyword : message.flags.flags.keywords) {
    if (keyword.starts_with('\\')) co_return Reply::bad("Unknown system flag");
  }
  access_.command = "APPEND";
  auto tree = co_await account_->tree();
  if (!tree) co_return reply_to(tree.error(), asker());
  const storage::MailboxInfo* box = (*tree)->find(append.mailbox.octets);
  if (!box || (box->attributes & storage::non_existent)) co_return Reply::no(Code::try_create, "No such mailbox");
  if (box->attributes & storage::no_select) co_return Reply::no(Code::cannot, "Mailbox cannot hold messages");
  incoming_.emplace(IncomingMessage{account_->new_body(), 0, false, std::nullopt});
  co_return std::nullopt;
}

void Session::on_chunk() {
  const std::string_view chunk = framer_.chunk();
  incoming_->size += chunk.size();
  if (incoming_->nul || incoming_->failed) return;  // drained: the answer is due after the last byte
  if (chunk.find('\0') != std::string_view::npos) {
    incoming_->nul = true;
    incoming_->writer.discard();
    return;
  }
  auto written = incoming_->writer.write(wire::base::as_bytes(chunk));
  if (!written) incoming_->failed = written.error();
}

// --- commands

awaitable<void> Session::execute() {
  command_start_ = std::chrono::steady_clock::now();
  access_ = AccessRecord();
  bytes_out_before_ = stream_->bytes_written() + out_.size();
  auto line = wire::imap::parse_command(framer_.frame());
  if (!line) {
    const std::string tag = wire::imap::tag_of(framer_.frame().text);
    finish_command(tag, Reply::bad(line.error().note));
    co_return;
  }
  Reply reply;
  std::exception_ptr error;
  try {
    reply = co_await dispatch(*line);
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    if (wire::net::is_cancelled(error) || !stream_->is_open()) std::rethrow_exception(error);
    try {
      std::rethrow_exception(error);
    } catch (const wire::base::FailureError&) {
      throw;  // the client is gone, or its literal was cut short
    } catch (const std::exception& e) {
      reply = Reply::no(Code::server_bug, "Internal error, incident " + log_incident(asker(), e.what()));
    }
  }
  incoming_.reset();
  finish_command(line->tag, reply);
  co_await flush_if_full();
}

awaitable<Reply> Session::dispatch(wire::imap::CommandLine& line) {
  const Command* command = find_command(line.name);
  if (!command || (line.uid && !command->uid_form)) co_return Reply::bad("Unknown command");
  access_.command = line.uid ? "UID " + line.name : line.name;
  if (!(command->states & static_cast<uint8_t>(state_))) co_return Reply::bad("Not allowed in this state");
  if (!command->arguments && !line.no_arguments()) co_return Reply::bad("This command has no arguments");
  if (selected_ && selected_->box->gone() && command->name != "LOGOUT") {
    log_out("The selected mailbox is gone");
    co_return Reply::no(Code::nonexistent, "The selected mailbox is gone");
  }
  if (ticket_) ticket_->set_command(access_.command);
  const bool had_selected = selected_.has_value();
  Reply reply = co_await command->handler(*this, line);
  if (selected_ && had_selected) {
    if (access_.mailbox.empty() && command->states == static_cast<uint8_t>(State::selected)) {
      access_.mailbox = selected_->box->info().name;
    }
    const bool uid = line.uid;
    if (command->untagged == Untagged::all || (command->untagged == Untagged::no_expunge && uid)) advance(true);
    if (command->untagged == Untagged::no_expunge && !uid) advance(false);
  }
  co_return reply;
}

void Session::finish_command(const std::string& tag, const Reply& reply) {
  if (reply.condition == Condition::bad) {
    ++bad_commands_;
  } else {
    bad_commands_ = 0;
  }
  if (!reply.sent) tagged(tag, reply);
  if (environment_->access && account_ && !access_.mailbox.empty()) {
    using namespace std::chrono;
    access_.user = account_->user();
    access_.client = client_address_;
    access_.result = reply.condition == Condition::ok ? "OK" : reply.condition == Condition::no ? "NO" : "BAD";
    access_.microseconds =
        static_cast<uint64_t>(duration_cast<microseconds>(steady_clock::now() - command_start_).count());
    access_.bytes_in = stream_->bytes_read() - input_.size() - bytes_in_before_;
    access_.bytes_out = stream_->bytes_written() + out_.size() - bytes_out_before_;
    environment_->access->write(access_);
  }
  bytes_in_before_ = stream_->bytes_read() - input_.size();
  if (bad_commands_ >= environment_->bad_commands && state_ != State::logout) log_out("Too many bad commands");
}

void Session::tagged(const std::string& tag, const Reply& reply) {
  const size_t before = out_.size();
  wire::imap::Writer w(out_);
  wire::imap::Status status;
  status.tag = tag == "*" ? std::string() : tag;
  status.condition = reply.condition;
  status.code = reply.code;
  status.text = reply.text;
  write_line(w, status);
  if (w.ok()) return;
  out_.resize(before);
  out_ += tag + " NO [SERVERBUG] Internal error, incident " + log_incident(asker(), "unwritable reply: " + reply.text) +
          "\r\n";
}

void Session::log_out(std::string bye) {
  if (state_ == State::logout) return;
  wire::imap::Writer w(out_);
  w.raw("* BYE ").text(bye).crlf();
  state_ = State::logout;
}

// --- login and account

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

// --- the selected mailbox

void Session::select(source::MailboxPtr box, bool writable, Uid recent_from) {
  auto snapshot = box->current();
  selected_.emplace(Selected{std::move(box), View(std::move(snapshot), recent_from), writable});
  selected_->box->add_watcher(this);
  state_ = State::selected;
  ticket_->set_mailbox(selected_->box->info().name);
}

void Session::unselect() {
  if (!selected_) return;
  selected_->box->remove_watcher(this);
  selected_.reset();
  if (state_ == State::selected) state_ = State::authenticated;
  if (ticket_) ticket_->set_mailbox(std::string());
}

void Session::advance(bool may_expunge) {
  if (!selected_ || state_ == State::logout) return;
  if (selected_->box->gone()) {
    if (idling_) log_out("The selected mailbox is gone");
    return;
  }
  const bool writable = selected_->writable;
  const auto claim = [this, writable] {
    return writable ? account_->claim_recent(selected_->box) : selected_->box->info().first_recent;
  };
  const auto newest = selected_->box->current();
  selected_->view.advance(newest, wording(may_expunge), writable, claim, out_);
}

bool Session::change_to_push() const {
  return idling_ && selected_ && (selected_->box->gone() || selected_->box->current() != selected_->view.shown());
}

awaitable<std::optional<std::string>> Session::idle_until_line() {
  std::shared_ptr<void> watch;
  if (selected_) watch = account_->watch_owner(selected_->box);
  idling_ = true;
  auto line = co_await read_line();
  idling_ = false;
  co_return line;
}

void Session::on_changed() {
  if (idling_ && parked_) start_push();
}

void Session::must_leave(const std::string& why) {
  if (state_ == State::logout) return;
  leave_why_ = why;
  if (parked_) start_push();
}

void Session::start_push() {
  if (pushing_ || !pushes_) return;
  pushing_ = true;
  auto task = push(shared_from_this());
  pushes_->spawn("imap push", std::move(task));
}

awaitable<void> Session::push(std::shared_ptr<Session> self) {
  std::exception_ptr error;
  try {
    co_await self->push_changes();
  } catch (...) {
    error = std::current_exception();
  }
  self->pushing_ = false;
  if (error) std::rethrow_exception(error);
}

// Beside the reader, which is parked: only here and until it wakes may anybody else write.
awaitable<void> Session::push_changes() {
  while (parked_ && state_ != State::logout) {
    if (leave_why_) {
      log_out(*leave_why_);
    } else if (change_to_push()) {
      advance(true);
    } else {
      co_return;
    }
    co_await flush();
  }
  if (state_ == State::logout) co_await stream_->shutdown(std::chrono::seconds(2));
}

}  // namespace gateway::imap
