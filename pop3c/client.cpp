#include "pop3c/client.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "wire/base/flags.h"
#include "wire/net/connect.h"
#include "wire/net/tls.h"

namespace pop3c {

namespace {

constexpr size_t max_line_bytes = 8 * 1024;
constexpr size_t max_lines = 100'000;
constexpr uint64_t pipeline_depth = 50;

void wipe(std::string& s) {
  s.resize(s.capacity());
  OPENSSL_cleanse(s.data(), s.size());
  s.clear();
}

std::string base64(const std::string& plain) {
  std::string out(4 * ((plain.size() + 2) / 3) + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(plain.data()), static_cast<int>(plain.size()));
  out.resize(static_cast<size_t>(n));
  return out;
}

// Nothing of a person's may add a command of its own.
bool fits_a_line(const std::string& s) { return s.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos; }

}  // namespace

Credentials::~Credentials() { wipe(password); }

Client::Client(wire::net::StreamPtr stream, Options options) : stream_(std::move(stream)), options_(options) {}
Client::~Client() { stream_->close(); }

bool Client::is_tls() const { return stream_->is_tls(); }

awaitable<Result<std::unique_ptr<Client>>> Client::open(asio::any_io_executor, Endpoint endpoint, Options options) {
  wire::net::ConnectOptions where(endpoint.host, endpoint.port);
  where.timeout = options.connect_timeout;
  Result<wire::net::StreamPtr> stream = co_await wire::net::connect(where);
  if (!stream) co_return stream.error();
  co_return co_await open_on(std::move(*stream), std::move(endpoint), options);
}

awaitable<Result<std::unique_ptr<Client>>> Client::open_on(wire::net::StreamPtr stream, Endpoint endpoint,
                                                           Options options) {
  std::unique_ptr<Client> client(new Client(std::move(stream), options));
  Result<void> greeted = co_await client->greet(std::move(endpoint));
  if (!greeted) co_return greeted.error();
  co_return client;
}

awaitable<Result<void>> Client::greet(Endpoint endpoint) {
  const Security security = endpoint.security;
  if (security == Security::implicit_tls) {
    Result<void> started = co_await start_tls(endpoint, false);
    if (!started) co_return started;
  }
  Result<Reply> greeting = co_await read_reply();
  if (!greeting) co_return greeting.error();
  if (greeting->kind != Reply::Kind::ok) co_return refusal(*greeting, "the connection");
  greeting_ = greeting->text;
  Result<void> known = co_await read_capabilities();
  if (!known) co_return known;
  if (security == Security::none || security == Security::implicit_tls) co_return Result<void>();
  if (!capabilities_.has("STLS")) {
    if (security == Security::stls_if_offered) co_return Result<void>();
    co_return Failure(Errc::refused, "the server offers no STLS, and a login without TLS is not allowed");
  }
  Result<void> started = co_await start_tls(endpoint, true);
  if (!started) co_return started;
  co_return co_await read_capabilities();  // what was said in plain text does not count (RFC 2595 4)
}

awaitable<Result<void>> Client::start_tls(Endpoint endpoint, bool announced) {
  wire::net::TlsClientOptions trust;
  trust.verify = endpoint.verify;
  trust.ca_file = endpoint.ca_file;
  auto tls = wire::net::TlsClient::make(std::move(trust));
  if (!tls) co_return tls.error();
  if (announced) {
    Result<Reply> reply = co_await ask("STLS");
    if (!reply) co_return reply.error();
    if (reply->kind != Reply::Kind::ok) co_return refusal(*reply, "STLS");
  }
  buffer_.clear();  // nothing that came in plain text may pass for an answer under TLS
  co_return co_await stream_->start_tls_client(*tls, endpoint.host, options_.connect_timeout);
}

awaitable<Result<void>> Client::read_capabilities() {
  capabilities_ = Capabilities();
  Result<Reply> reply = co_await ask("CAPA");
  if (!reply) co_return reply.error();
  if (reply->kind != Reply::Kind::ok) co_return Result<void>();  // RFC 1939 alone
  for (size_t n = 0; n < max_lines; ++n) {
    Result<std::string> line = co_await read_line();
    if (!line) co_return line.error();
    if (*line == ".") co_return Result<void>();
    std::string_view text = *line;
    if (text.starts_with('.')) text.remove_prefix(1);
    capabilities_.add_line(text);
    if (n >= 200) co_return Failure(Errc::limit, "the server has too many capabilities");
  }
  co_return Failure(Errc::limit, "the answer to CAPA does not end");
}

awaitable<Result<std::string>> Client::read_line() {
  size_t looked = 0;
  for (;;) {
    const size_t end = buffer_.find('\n', looked);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      co_return line;
    }
    looked = buffer_.size();
    if (looked > max_line_bytes) co_return Failure(Errc::limit, "a line of the server is longer than 8 KiB");
    std::array<char, 4096> bytes;
    Result<size_t> got = co_await stream_->read_some(bytes, options_.read_timeout);
    if (!got) co_return got.error();
    if (*got == 0) co_return Failure(Errc::closed, "the server closed the connection");
    buffer_.append(bytes.data(), *got);
  }
}

awaitable<Result<Reply>> Client::read_reply() {
  Result<std::string> line = co_await read_line();
  if (!line) co_return line.error();
  co_return parse_reply(*line);
}

awaitable<Result<void>> Client::send(std::string bytes) {
  Result<void> sent = co_await stream_->write_all(bytes, options_.write_timeout);
  wipe(bytes);  // passwords pass through here
  co_return sent;
}

awaitable<Result<Reply>> Client::ask(std::string line) {
  line += "\r\n";
  Result<void> sent = co_await send(std::move(line));
  if (!sent) co_return sent.error();
  co_return co_await read_reply();
}

awaitable<Result<void>> Client::utf8() {
  if (!capabilities_.has("UTF8")) co_return Failure(Errc::unsupported, "the server offers no UTF8");
  Result<Reply> reply = co_await ask("UTF8");
  if (!reply) co_return reply.error();
  if (reply->kind != Reply::Kind::ok) co_return refusal(*reply, "UTF8");
  co_return Result<void>();
}

awaitable<Result<Reply>> Client::auth_plain(const Credentials& c) {
  std::string plain = c.authzid;
  plain.reserve(c.authzid.size() + c.user.size() + c.password.size() + 2);
  plain += '\0';
  plain += c.user;
  plain += '\0';
  plain += c.password;
  std::string token = base64(plain);
  wipe(plain);
  // Without the initial response: RFC 1734's servers know none, and one round trip is nothing here.
  Result<Reply> asked = co_await ask("AUTH PLAIN");
  if (!asked || asked->kind != Reply::Kind::challenge) {
    wipe(token);
    co_return asked;
  }
  co_return co_await ask(std::move(token));
}

awaitable<Result<Reply>> Client::user_pass(const Credentials& c) {
  Result<Reply> user = co_await ask("USER " + c.user);
  if (!user || user->kind != Reply::Kind::ok) co_return user;
  co_return co_await ask("PASS " + c.password);
}

awaitable<Result<void>> Client::login(Credentials c) {
  if (!fits_a_line(c.user) || !fits_a_line(c.authzid) || !fits_a_line(c.password)) {
    co_return Failure(Errc::malformed, "user or password holds a line end or NUL");
  }
  const std::vector<std::string> mechanisms = capabilities_.parameters("SASL");
  const auto is_plain = [](const std::string& m) { return wire::base::iequals(m, "PLAIN"); };
  const bool plain = std::any_of(mechanisms.begin(), mechanisms.end(), is_plain);
  if (!plain && !c.authzid.empty()) {
    co_return Failure(Errc::unsupported, "the server offers no AUTH PLAIN, which acting as another user needs");
  }
  Result<Reply> reply = Reply();
  if (plain) {
    reply = co_await auth_plain(c);
  } else {
    reply = co_await user_pass(c);
  }
  if (!reply) co_return reply.error();
  if (reply->kind != Reply::Kind::ok) {
    Failure why = refusal(*reply, "the login");
    if (why.code == Errc::refused) why.code = Errc::auth;
    co_return why;
  }
  co_return co_await read_capabilities();  // some differ after the login (RFC 2449 5)
}

awaitable<Result<Stat>> Client::stat() {
  Result<Reply> reply = co_await ask("STAT");
  if (!reply) co_return reply.error();
  if (reply->kind != Reply::Kind::ok) co_return refusal(*reply, "STAT");
  co_return parse_stat(reply->text);
}

awaitable<Result<std::vector<Uidl>>> Client::uidl(uint64_t last) {
  std::vector<Uidl> out;
  const uint64_t depth = capabilities_.has("PIPELINING") ? pipeline_depth : 1;
  for (uint64_t first = 1; first <= last;) {
    const uint64_t end = std::min(last, first + depth - 1);
    std::string commands;
    for (uint64_t n = first; n <= end; ++n) commands += "UIDL " + std::to_string(n) + "\r\n";
    Result<void> sent = co_await send(std::move(commands));
    if (!sent) co_return sent.error();
    for (; first <= end; ++first) {
      Result<Reply> reply = co_await read_reply();
      if (!reply) co_return reply.error();
      if (reply->kind != Reply::Kind::ok) continue;
      Result<Uidl> one = parse_uidl(reply->text);
      if (!one) co_return one.error();
      if (one->number != first) co_return Failure(Errc::malformed, "UIDL answers for another message");
      out.push_back(std::move(*one));
    }
  }
  co_return out;
}

awaitable<void> Client::quit() {
  const Result<Reply> bye = co_await ask("QUIT");
  (void)bye;  // gone in any case
  co_await stream_->shutdown(options_.write_timeout);
}

}  // namespace pop3c
