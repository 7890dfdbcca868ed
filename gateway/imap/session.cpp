#include "gateway/imap/session.h"

#include <spdlog/spdlog.h>

#include "gateway/imap/commands.h"
#include "gateway/imap/session_limits.h"

namespace gateway::imap {
namespace {

// How many times the silence allowed before a login all of it may take: a stranger who sends a byte a minute goes too.
constexpr int stranger_patience = 3;

}  // namespace

Session::Session(std::shared_ptr<const Environment> environment, wire::net::StreamPtr stream,
                 config::ListenSecurity security, source::Descriptors::Hold hold)
    : environment_(std::move(environment)),
      descriptor_(std::move(hold)),
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

}  // namespace gateway::imap
