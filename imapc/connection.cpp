#include "imapc/connection.h"

#include "imapc/commands.h"
#include "imapc/login.h"
#include "imapc/session.h"
#include "wire/imap/cmd/session.h"
#include "wire/imap/cmd/simple.h"
#include "wire/net/connect.h"
#include "wire/net/deadline.h"
#include "wire/net/tls.h"

namespace imapc {

using wire::imap::Capabilities;
using wire::imap::Code;
using wire::imap::Writer;

namespace {

constexpr Timeout farewell{5'000};

Call<Nothing> simple(Session& session, const char* name) {
  auto command = std::make_shared<TypedCommand<Nothing>>(session.executor(), name);
  session.submit(command, [name](Writer& w) { write(w, wire::imap::cmd::Simple{name}); });
  return Call<Nothing>(command);
}

Call<Capabilities> submit_enable(Session& session, const std::vector<std::string>& names) {
  auto command = std::make_shared<CapabilityCommand>(session.executor(), "ENABLE");
  wire::imap::cmd::Enable enable;
  for (const std::string& name : names) enable.capabilities.add(name);
  session.submit(command, [&enable](Writer& w) { write(w, enable); });
  return Call<Capabilities>(command);
}

Call<Nothing> submit_id(Session& session) {
  auto command = std::make_shared<TypedCommand<Nothing>>(session.executor(), "ID");
  wire::imap::cmd::Id id;
  id.params = session.options().id;
  session.submit(command, [&id](Writer& w) { write(w, id); });
  return Call<Nothing>(command);
}

Call<Capabilities> submit_capability(Session& session) {
  auto command = std::make_shared<CapabilityCommand>(session.executor(), "CAPABILITY");
  session.submit(command, [](Writer& w) { write(w, wire::imap::cmd::Simple{"CAPABILITY"}); });
  return Call<Capabilities>(command);
}

// Only a broken connection counts: a server that refuses ID still serves mail.
Result<> still_open(const Session& session) {
  if (session.broken()) return session.why_broken();
  return {};
}

}  // namespace

awaitable<Result<>> Connection::log_in(std::shared_ptr<Session> session, Credentials credentials) {
  Session& s = *session;
  if (s.greeting.condition == wire::imap::Condition::preauth) co_return Result<>();
  const Identity identity(credentials);
  const Result<LoginMethod> method = choose_login(s.capabilities, identity, s.options().sasl_ir);
  if (!method) co_return method.error();
  auto command =
      std::make_shared<LoginCommand>(s.executor(), *method == LoginMethod::login ? "LOGIN" : "AUTHENTICATE PLAIN");
  submit_login(s, command, *method, identity);
  Call<Nothing> call(command);
  Result<Nothing> done = co_await call.get();
  if (done) co_return Result<>();
  Failure failure = done.error();
  if (betrays(failure.peer_text, identity)) failure.peer_text.clear();
  co_return failure;
}

awaitable<Result<>> Connection::set_up(std::shared_ptr<Session> session, Endpoint endpoint, Credentials credentials) {
  Session& s = *session;
  Result<> greeted = co_await s.greet(endpoint);
  if (!greeted) co_return greeted;
  s.start();
  if (s.capabilities.empty()) {
    Call<Capabilities> call = submit_capability(s);
    const Result<Capabilities> asked = co_await call.get();
    if (!asked) co_return asked.error();
  }
  // Before the login where possible: servers trust what a proxy says about the client only there.
  std::optional<Call<Nothing>> id;
  if (!s.options().id.fields.empty() && s.can("ID")) id.emplace(submit_id(s));
  const uint64_t known = s.capability_changes;
  Result<> in = co_await log_in(session, std::move(credentials));
  if (!in) co_return in;
  if (s.capability_changes == known) {
    Call<Capabilities> call = submit_capability(s);
    const Result<Capabilities> asked = co_await call.get();
    if (!asked) co_return asked.error();
  }
  if (!id && !s.options().id.fields.empty() && s.can("ID")) id.emplace(submit_id(s));
  std::vector<std::string> wanted;
  for (const std::string& name : s.options().enable) {
    if (s.can(name)) wanted.push_back(name);
  }
  if (!wanted.empty() && s.can("ENABLE")) {
    Call<Capabilities> call = submit_enable(s, wanted);
    co_await call.get();
  }
  if (id) co_await id->get();
  if (s.deflate() && s.can("COMPRESS=DEFLATE")) {
    auto command = std::make_shared<CompressCommand>(s);
    s.submit(command, [](Writer& w) { w.raw("COMPRESS DEFLATE"); });
    co_await command->wait();
  }
  co_return still_open(s);
}

awaitable<Result<std::unique_ptr<Connection>>> Connection::open_on(wire::net::StreamPtr stream, Endpoint endpoint,
                                                                   Credentials credentials, Options options) {
  const Timeout timeout = options.login_timeout;
  auto session = std::make_shared<Session>(std::move(stream), std::move(options));
  std::unique_ptr<Connection> connection(new Connection(session));
  awaitable<Result<>> steps = set_up(session, std::move(endpoint), std::move(credentials));
  const Result<> ready = co_await wire::net::with_deadline(timeout, std::move(steps));
  if (!ready) {
    Failure failure = ready.error();
    // To the caller it is one and the same whether the end came as BYE, as EOF or in words.
    if (failure.code == Errc::closed) failure.code = Errc::unavailable;
    co_return failure;
  }
  co_return connection;
}

awaitable<Result<std::unique_ptr<Connection>>> Connection::open(asio::any_io_executor executor, Endpoint endpoint,
                                                                Credentials credentials, Options options) {
  (void)executor;  // the coroutine runs on it; named so that callers see whose connection it is
  wire::net::ConnectOptions where(endpoint.host, endpoint.port);
  where.timeout = options.connect_timeout;
  Result<wire::net::StreamPtr> stream = co_await wire::net::connect(where);
  if (!stream) co_return stream.error();
  if (endpoint.security == Security::implicit_tls) {
    wire::net::TlsClientOptions tls_options;
    tls_options.verify = endpoint.verify;
    tls_options.ca_file = endpoint.ca_file;
    const Result<std::shared_ptr<wire::net::TlsClient>> tls = wire::net::TlsClient::make(std::move(tls_options));
    if (!tls) co_return tls.error();
    const Result<> started = co_await (*stream)->start_tls_client(*tls, endpoint.host, options.login_timeout);
    if (!started) co_return started.error();
  }
  co_return co_await open_on(std::move(*stream), std::move(endpoint), std::move(credentials), std::move(options));
}

Connection::Connection(std::shared_ptr<Session> session) : session_(std::move(session)) {}

Connection::~Connection() {
  session_->observer = nullptr;
  close();
}

void Connection::close() { session_->break_off(Failure(Errc::closed, "the connection was closed here")); }

awaitable<void> Connection::logout() {
  session_->leave();
  if (!session_->broken()) {
    Call<Nothing> call = simple(*session_, "LOGOUT");
    awaitable<Result<Nothing>> answer = call.get();
    co_await wire::net::with_deadline(farewell, std::move(answer));
  }
  close();
}

bool Connection::is_open() const { return !session_->broken(); }
const Capabilities& Connection::capabilities() const { return session_->capabilities; }
const Capabilities& Connection::enabled() const { return session_->enabled; }
const wire::imap::IdParams& Connection::server_id() const { return session_->server_id; }
const std::string& Connection::greeting() const { return session_->greeting.text; }
bool Connection::preauth() const { return session_->greeting.condition == wire::imap::Condition::preauth; }
const wire::net::Stream& Connection::stream() const { return session_->stream(); }
size_t Connection::in_flight() const { return session_->in_flight(); }
uint64_t Connection::commands_sent() const { return session_->commands_sent; }
void Connection::set_observer(Observer* observer) { session_->observer = observer; }

void Connection::resume() { session_->notify_reader(); }

Call<Nothing> Connection::noop() { return simple(*session_, "NOOP"); }
Call<Capabilities> Connection::capability() { return submit_capability(*session_); }
Call<Capabilities> Connection::enable(std::vector<std::string> names) { return submit_enable(*session_, names); }

Call<wire::imap::NamespaceData> Connection::namespaces() {
  auto command = std::make_shared<NamespaceCommand>(session_->executor(), "NAMESPACE");
  session_->submit(command, [](Writer& w) { write(w, wire::imap::cmd::Simple{"NAMESPACE"}); });
  return Call<wire::imap::NamespaceData>(command);
}

Call<Nothing> Connection::unselect() {
  SelectedState& state = *session_->selected;
  const bool read_write = state.selected && !state.read_only;
  state = SelectedState();
  if (session_->can("UNSELECT")) return simple(*session_, "UNSELECT");
  // CLOSE expunges what is marked \Deleted, unless the mailbox was opened read-only.
  if (read_write) {
    wire::imap::cmd::Select examine;
    examine.examine = true;
    examine.mailbox.octets = "INBOX";
    auto command = std::make_shared<SelectCommand>(*session_, true);
    session_->submit(command, [&examine](Writer& w) { write(w, examine); });
  }
  return simple(*session_, "CLOSE");
}

awaitable<Result<>> Connection::idle() {
  const std::shared_ptr<Session> session = session_;
  if (!session->can("IDLE")) co_return Failure(Errc::unsupported, "the server does not offer IDLE");
  session->stop_idle = false;
  for (;;) {
    auto command = std::make_shared<TypedCommand<Nothing>>(session->executor(), "IDLE");
    Outgoing out;
    out.idle = true;
    Writer w = session->begin(out, command);
    write(w, wire::imap::cmd::Simple{"IDLE"});
    w.crlf();
    session->reissue_idle = false;
    session->finish(std::move(out), w);
    co_await command->wait();
    if (command->failure()) co_return *command->failure();
    if (!session->reissue_idle || session->stop_idle) co_return Result<>();
  }
}

void Connection::stop_idle() {
  session_->stop_idle = true;
  session_->notify_writer();
}

}  // namespace imapc
