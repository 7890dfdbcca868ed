// A POP3 client (RFC 1939, 2449, 2595, 5034, 6856): connects, reads what the server can, logs in, counts and names
// messages. Commands go out together where the server has PIPELINING.
//
// One connection, one thread, one call at a time. Any failure but a refusal (-ERR) breaks the connection. Bounded:
// lines of 8 KiB, 100,000 lines an answer, and a deadline for each step.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pop3c/reply.h"
#include "wire/net/stream.h"

namespace pop3c {

using wire::net::Timeout;

enum class Security : uint8_t {
  none,
  stls_if_offered,  // an attacker in between can hide the offer
  stls,             // no TLS, no login
  implicit_tls,
};

struct Endpoint {
  std::string host;  // as the certificate names it
  uint16_t port = 110;
  Security security = Security::stls;
  bool verify = true;
  std::string ca_file;  // PEM; empty: the system's store
};

struct Options {
  Timeout connect_timeout{30'000};
  Timeout read_timeout{60'000};  // without any progress
  Timeout write_timeout{60'000};
};

// Wiped when it dies.
struct Credentials {
  std::string user;     // whose password it is
  std::string authzid;  // whom to act as (RFC 4616); empty: the user. Needs AUTH PLAIN
  std::string password;
  Credentials() = default;
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;
  Credentials(Credentials&&) = default;
  Credentials& operator=(Credentials&&) = default;
  ~Credentials();
};

class Client {
 public:
  // Connects, reads the greeting, asks CAPA, starts TLS by `security`, asks CAPA again.
  static awaitable<Result<std::unique_ptr<Client>>> open(asio::any_io_executor executor, Endpoint endpoint,
                                                         Options options);
  // The same over a connected stream: for tests and proxies.
  static awaitable<Result<std::unique_ptr<Client>>> open_on(wire::net::StreamPtr stream, Endpoint endpoint,
                                                            Options options);
  ~Client();

  const std::string& greeting() const { return greeting_; }
  const Capabilities& capabilities() const { return capabilities_; }  // as of the last CAPA; empty: the server has none
  bool is_tls() const;

  // RFC 6856, before the login. Errc::refused, unsupported.
  awaitable<Result<void>> utf8();
  // AUTH PLAIN where it is offered or an authzid is given, else USER and PASS. Errc::auth: refused. Reads CAPA again.
  awaitable<Result<void>> login(Credentials credentials);
  awaitable<Result<Stat>> stat();
  // Of messages 1 to `last`, in order; those that are gone are left out.
  awaitable<Result<std::vector<Uidl>>> uidl(uint64_t last);
  // QUIT and an orderly end. Always succeeds.
  awaitable<void> quit();

 private:
  Client(wire::net::StreamPtr stream, Options options);
  awaitable<Result<void>> greet(Endpoint endpoint);
  awaitable<Result<void>> start_tls(Endpoint endpoint, bool announced);
  awaitable<Result<void>> read_capabilities();
  awaitable<Result<std::string>> read_line();
  awaitable<Result<Reply>> read_reply();
  awaitable<Result<void>> send(std::string bytes);
  awaitable<Result<Reply>> ask(std::string line);
  awaitable<Result<Reply>> auth_plain(const Credentials& credentials);
  awaitable<Result<Reply>> user_pass(const Credentials& credentials);

  wire::net::StreamPtr stream_;
  const Options options_;
  std::string buffer_;  // read and not yet used
  std::string greeting_;
  Capabilities capabilities_;
};

}  // namespace pop3c
