#include "gateway/server.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "gateway/admin/socket.h"
#include "gateway/imap/server.h"
#include "gateway/login.h"
#include "gateway/runtime.h"
#include "gateway/source/maintenance.h"
#include "wire/net/connect.h"
#include "wire/net/wheel.h"

namespace gateway {

namespace {

// How long running commands get at a shutdown, and after how long the process ends whatever hangs.
constexpr std::chrono::milliseconds grace{10'000};
constexpr unsigned last_resort_seconds = 45;
// How often accounts that nobody uses are looked for, and how long they stay open for who comes back.
constexpr std::chrono::milliseconds sweep_period{30'000};
constexpr std::chrono::seconds sweep_idle{60};
constexpr std::chrono::milliseconds sweep_step{50};

constexpr const char* name_of(config::Protocol) { return "imap"; }  // the one protocol that this build serves

// systemd's readiness protocol: one datagram (sd_notify(3)).
void notify_systemd(const char* state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr || path[0] == '\0' || std::strlen(path) >= sizeof address.sun_path) return;
  const size_t length = std::strlen(path);
  std::memcpy(address.sun_path, path, length);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // A service manager that does not listen is its own problem.
  (void)!::sendto(fd, state, std::strlen(state), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  ::close(fd);
}

std::string host_port(const config::Listen& l) {
  return (l.host.find(':') == std::string::npos ? l.host : "[" + l.host + "]") + ":" + std::to_string(l.port);
}

class Server {
 public:
  Server(std::shared_ptr<const config::Config> config, std::unique_ptr<Runtime> runtime, Log& log)
      : config_(std::move(config)),
        log_(log),
        runtime_(std::move(runtime)),
        sessions_(config_->sessions_per_user, config_->sessions_per_address),
        login_(runtime_->services(), runtime_->passwords(), log_),
        context_{runtime_->services(), runtime_->passwords(), &sessions_},
        signals_(main_, SIGTERM, SIGINT, SIGHUP) {}

  Result<void> open();
  void say_ready() const;
  void wait_for_signals();
  void stop();

 private:
  struct Door {
    config::Listen listen;
    std::unique_ptr<wire::net::Listener> listener;
  };

  Result<void> open_listeners();
  awaitable<void> accept(Door* door);
  static awaitable<void> turn_away(wire::net::Stream& stream, config::ListenSecurity security);
  awaitable<void> sweep_accounts();
  awaitable<void> maintain_accounts();
  awaitable<void> visit_accounts();
  awaitable<Result<void>> start_accepting();
  awaitable<void> close_doors();
  void reload();

  const std::shared_ptr<const config::Config> config_;
  Log& log_;
  std::unique_ptr<Runtime> runtime_;
  imap::Sessions sessions_;
  LoginService login_;
  admin::Context context_;
  std::shared_ptr<wire::net::TlsServer> tls_;
  std::unique_ptr<imap::AccessLogFile> access_;
  std::unique_ptr<imap::Server> imap_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::unique_ptr<wire::net::TaskGroup> accepting_;
  std::unique_ptr<wire::net::TaskGroup> sweeping_;
  bool stopping_ = false;  // on the first core, as its task
  std::unique_ptr<admin::AdminSocket> admin_;
  asio::io_context main_{1};
  asio::signal_set signals_;
};

Result<void> Server::open() {
  if (!config_->certificate.empty()) {
    auto tls = wire::net::TlsServer::load(config_->certificate.string(), config_->key.string());
    if (!tls) return tls.error();
    tls_ = std::move(*tls);
  }
  if (config_->access_log) {
    auto access = imap::AccessLogFile::open(*config_->access_log);
    if (!access) return access.error();
    access_ = std::move(*access);
  }
  auto environment = std::make_shared<imap::Environment>();
  environment->config = config_;
  environment->login = &login_;
  environment->sessions = &sessions_;
  environment->pool = &runtime_->blocking();
  environment->searches = &runtime_->searches();
  environment->tls = tls_;
  environment->access = access_.get();
  imap_ = std::make_unique<imap::Server>(environment, runtime_->cores());
  Result<void> listening = open_listeners();
  if (!listening) return listening;
  return runtime_->run(start_accepting());
}

// All ports before the first client is let in: either the whole configuration is served or the start fails.
Result<void> Server::open_listeners() {
  for (const config::Listen& l : config_->listen) {
    if (l.protocol != config::Protocol::imap || l.proxy_protocol) continue;  // warned about by the configuration
    auto address = wire::net::parse_address(host_port(l));
    if (!address) return address.error();
    auto listener = wire::net::Listener::open(runtime_->cores().front(), *address);
    if (!listener) {
      Failure why = listener.error();
      why.note = "cannot listen on " + host_port(l) + ": " + why.note;
      return why;
    }
    auto door = std::make_unique<Door>();
    door->listen = l;
    door->listener = std::move(*listener);
    doors_.push_back(std::move(door));
  }
  return {};
}

// On the core that they live on.
awaitable<Result<void>> Server::start_accepting() {
  const asio::any_io_executor here = co_await asio::this_coro::executor;
  auto warn = [this](const std::string& what) { log_.warning(what); };
  auto admin = admin::AdminSocket::open(here, config_->admin_socket(), context_, warn);
  if (!admin) co_return admin.error();
  admin_ = std::move(*admin);
  auto on_error = [this](const std::string& task, std::exception_ptr e) {
    log_.error("a listener failed", {{"task", task}, {"why", wire::net::describe(e)}});
  };
  accepting_ = std::make_unique<wire::net::TaskGroup>(here, on_error);
  for (const auto& door : doors_) accepting_->spawn(door->listener->address().to_string(), accept(door.get()));
  auto on_sweep_error = [this](const std::string&, std::exception_ptr e) {
    log_.error("idle accounts are no longer closed, or space no longer given back", {{"why", wire::net::describe(e)}});
  };
  sweeping_ = std::make_unique<wire::net::TaskGroup>(here, on_sweep_error);
  sweeping_->spawn("sweep", sweep_accounts());
  sweeping_->spawn("maintain", maintain_accounts());
  if (config_->visit_unopened != 0 && config_->rewrite_share != 0) sweeping_->spawn("visit", visit_accounts());
  co_return Result<void>();
}

// Cancelled between two sweeps only: an account that is half closed would be dropped with its source running.
awaitable<void> Server::sweep_accounts() {
  const asio::disable_cancellation none;
  const asio::enable_terminal_cancellation terminal;
  while (!stopping_) {
    co_await wire::net::sleep_for(sweep_period);
    co_await asio::this_coro::reset_cancellation_state(none);
    try {
      co_await runtime_->services().registry->sweep(sweep_idle);
    } catch (const std::exception& e) {
      // One account that cannot be closed must not keep all others open.
      log_.warning("an idle account was not closed", {{"why", e.what()}});
    }
    co_await asio::this_coro::reset_cancellation_state(terminal);
  }
}

// Apart from the sweep: a pass takes as long as its share of the disk makes it. One account at a time.
awaitable<void> Server::maintain_accounts() {
  const asio::disable_cancellation none;
  const asio::enable_terminal_cancellation terminal;
  const auto period = source::maintenance_period(std::chrono::seconds(config_->rewrite_idle));
  while (!stopping_) {
    co_await wire::net::sleep_for(period);
    co_await asio::this_coro::reset_cancellation_state(none);
    try {
      co_await runtime_->services().registry->maintain();
    } catch (const std::exception& e) {
      log_.warning("space was not given back", {{"why", e.what()}});
    }
    co_await asio::this_coro::reset_cancellation_state(terminal);
  }
}

// Those that nobody opens: one at a time, with rests between them in proportion.
awaitable<void> Server::visit_accounts() {
  const asio::disable_cancellation none;
  const asio::enable_terminal_cancellation terminal;
  const auto period = source::maintenance_period(std::chrono::seconds(config_->rewrite_idle));
  std::chrono::milliseconds rest = period;
  while (!stopping_) {
    co_await wire::net::sleep_for(rest);
    co_await asio::this_coro::reset_cancellation_state(none);
    rest = period;
    try {
      const auto start = std::chrono::steady_clock::now();
      const bool visited = co_await runtime_->services().registry->visit_one();
      const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start);
      if (visited) rest = std::max(source::rest_after(took, config_->rewrite_share), wire::net::Wheel::tick);
    } catch (const std::exception& e) {
      log_.warning("an account was not looked after", {{"why", e.what()}});
    }
    co_await asio::this_coro::reset_cancellation_state(terminal);
  }
}

awaitable<void> Server::accept(Door* door) {
  for (;;) {
    Result<wire::net::StreamPtr> stream = co_await door->listener->accept();
    if (!stream) {
      if (stream.error().code == Errc::closed) co_return;
      log_.warning("accept failed", {{"why", stream.error().describe()}});
      continue;
    }
    source::Registry& registry = *runtime_->services().registry;
    const uint64_t spare = runtime_->services().descriptors->spare_for_accounts();
    Result<source::Descriptors::Hold> hold = co_await registry.take_descriptors(1, spare);
    if (!hold) {
      co_await turn_away(**stream, door->listen.security);
      continue;
    }
    imap_->serve(std::move(*stream), door->listen.security, std::move(*hold));
  }
}

// One line, and away. Behind implicit TLS there is nobody to say it to.
awaitable<void> Server::turn_away(wire::net::Stream& stream, config::ListenSecurity security) {
  if (security != config::ListenSecurity::tls) {
    const std::string_view bye = "* BYE [UNAVAILABLE] This server is full; try again later\r\n";
    (void)co_await stream.write_all(bye, wire::net::Wheel::tick);
  }
  stream.close();
}

void Server::say_ready() const {
  std::string line = "{\"ready\":true,\"listen\":[";
  for (const auto& door : doors_) {
    if (door != doors_.front()) line += ",";
    line += std::string("{\"protocol\":\"") + name_of(door->listen.protocol) +
            "\",\"address\":" + json_text(door->listener->address().to_string()) + "}";
  }
  line += "]}\n";
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
  notify_systemd("READY=1");
}

void Server::wait_for_signals() {
  std::function<void(const boost::system::error_code&, int)> on = [this, &on](const boost::system::error_code& e,
                                                                              int n) {
    if (e) return;
    if (n == SIGHUP) {
      reload();
      signals_.async_wait(on);
    }
  };
  signals_.async_wait(on);
  main_.run();
}

void Server::reload() {
  notify_systemd("RELOADING=1");
  if (tls_) {
    Result<> reloaded = tls_->reload();
    if (!reloaded) log_.warning("the certificate was not reloaded", {{"why", reloaded.error().describe()}});
  }
  if (access_) {
    Result<void> reopened = access_->reopen();
    if (!reopened) log_.warning("the access log was not reopened", {{"why", reopened.error().describe()}});
  }
  const config::Loaded loaded = config::load(config_->file);
  for (const config::Problem& p : loaded.problems) {
    if (p.fatal) {
      log_.warning("the configuration has a problem and stays as it was: " + p.what,
                   {{"file", p.file}, {"line", std::to_string(p.line)}, {"remedy", p.remedy}});
    }
  }
  if (loaded.config) log_.set_level(loaded.config->log_level);
  log_.info("reloaded");
  notify_systemd("READY=1");
}

awaitable<void> Server::close_doors() {
  stopping_ = true;
  sweeping_->cancel_all();
  for (const auto& door : doors_) door->listener->close();
  co_await accepting_->join();
  co_await imap_->stop("the server is shutting down", grace);
  co_await admin_->stop(grace);
  // Bounded: the registry waits for what is being closed, too.
  for (auto waited = sweep_step; sweeping_->running() > 0 && waited <= grace; waited += sweep_step) {
    co_await wire::net::sleep_for(sweep_step);
  }
}

void Server::stop() {
  notify_systemd("STOPPING=1");
  // Nothing that hangs may keep the process: what is acknowledged is durable already.
  ::signal(SIGALRM, [](int) { ::_exit(0); });
  ::alarm(last_resort_seconds);
  if (admin_ && accepting_) runtime_->run(close_doors());
  if (!runtime_->stop()) {
    log_.warning("an account did not close in time; what it had acknowledged is durable");
    ::_exit(0);
  }
}

}  // namespace

void harden_process() {
  ::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  const rlimit none{};
  ::setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // The leak checker of a sanitized build has to look into the process.
  ::prctl(PR_SET_DUMPABLE, 0);
#endif
}

admin::Exit serve(std::shared_ptr<const config::Config> config, Log& log) {
  auto lock = DataLock::take(config->data_dir);
  if (!lock) {
    log.error(lock.error().describe());
    return admin::Exit::not_now;
  }
  auto runtime = Runtime::start(config, std::move(*lock), log);
  if (!runtime) {
    log.error("cannot start: " + runtime.error().describe());
    return admin::exit_of(runtime.error());
  }
  Server server(config, std::move(*runtime), log);
  Result<void> opened = server.open();
  if (!opened) {
    log.error("cannot start: " + opened.error().describe());
    server.stop();
    return admin::exit_of(opened.error()) == admin::Exit::usage ? admin::Exit::usage : admin::Exit::not_now;
  }
  server.say_ready();
  log.info("ready");
  server.wait_for_signals();
  log.info("stopping");
  server.stop();
  log.info("stopped");
  return admin::Exit::done;
}

}  // namespace gateway
