// The IMAP server: takes accepted streams, runs one session for each, moves it to its account's core after the login.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/imap/access_log.h"
#include "gateway/imap/sessions.h"
#include "gateway/source/descriptors.h"
#include "gateway/source/login.h"
#include "wire/net/stream.h"
#include "wire/net/tasks.h"
#include "wire/net/tls.h"

namespace gateway::imap {

// What a session needs of the process. Everything pointed to outlives all sessions and may be used from any core.
struct Environment {
  std::shared_ptr<const config::Config> config;
  source::Login* login = nullptr;
  Sessions* sessions = nullptr;
  asio::thread_pool* pool = nullptr;                // big bodies: what touches a cold page
  asio::thread_pool* searches = nullptr;            // what takes over 2 ms of CPU; null: `pool`
  std::shared_ptr<const wire::net::TlsServer> tls;  // null: no STARTTLS, no implicit TLS
  AccessLog* access = nullptr;                      // null: none

  // How long a client may be silent (RFC 3501 5.4 asks for 30 minutes), and how long one write may stall.
  std::chrono::milliseconds silent_before_login{60'000};
  std::chrono::milliseconds silent_after_login{30 * 60'000};
  std::chrono::milliseconds write_stall{5 * 60'000};
  std::chrono::milliseconds after_wrong_password{1'500};  // before the NO
  uint32_t wrong_passwords = 4;                           // then BYE
  uint32_t bad_commands = 20;                             // in a row, then BYE
};

class Session;

class Server {
 public:
  // `cores`: one io_context with one thread each; accounts live on these and no others.
  Server(std::shared_ptr<const Environment> environment, std::vector<asio::any_io_executor> cores);
  ~Server();  // stop() was awaited, or no io_context runs any more
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Any thread. Takes over a stream with no call under way; returns at once.
  void serve(wire::net::StreamPtr stream, config::ListenSecurity security, source::Descriptors::Hold hold = {});

  // Says BYE to everybody (Sessions::close), waits up to `grace` for running commands, then cancels. On any core.
  awaitable<void> stop(std::string why, std::chrono::milliseconds grace);

 private:
  struct Core;
  void run_on(Core& core, std::shared_ptr<Session> session);
  Core& core_of(const asio::any_io_executor& executor);

  std::shared_ptr<const Environment> environment_;
  std::vector<std::unique_ptr<Core>> cores_;
  std::atomic<size_t> next_{0};
};

}  // namespace gateway::imap
