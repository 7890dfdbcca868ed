#include "gateway/runtime.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "storage/node_format.h"
#include "wire/net/deadline.h"

namespace gateway {

namespace {

constexpr wire::net::Timeout close_patience{20'000};
constexpr int background_nice = 10;

uint64_t descriptors_allowed(uint32_t configured) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) files.rlim_cur = 1024;
  const uint64_t possible = source::Descriptors::within(files.rlim_cur);
  return configured != 0 ? std::min<uint64_t>(configured, possible) : possible;
}

std::string read_holder(int fd) {
  char text[64];
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  std::string out(text, n > 0 ? static_cast<size_t>(n) : 0);
  return out.substr(0, out.find('\n'));
}

}  // namespace

Result<DataLock> DataLock::take(const std::filesystem::path& data_dir) {
  std::error_code ec;
  if (std::filesystem::create_directories(data_dir, ec)) {
    std::filesystem::permissions(data_dir, std::filesystem::perms::owner_all, ec);
  }
  const std::filesystem::path file = data_dir / "lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Failure(Errc::io, "cannot open " + file.string() + ": " + std::strerror(errno));
  DataLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failure(Errc::io, "cannot lock " + file.string() + ": " + std::strerror(errno));
    return Failure(Errc::unavailable, "lock held: another fairlead works on " + data_dir.string() + " (process " +
                                          read_holder(fd) +
                                          "); wait until it is done, or run the server and try again");
  }
  const std::string holder = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, holder.data(), holder.size(), 0) < 0) {
    return Failure(errno == ENOSPC ? Errc::no_space : Errc::io,
                   "cannot write " + file.string() + ": " + std::strerror(errno));
  }
  return lock;
}

DataLock::~DataLock() {
  if (fd_ >= 0) ::close(fd_);
}

Runtime::Runtime(std::shared_ptr<const config::Config> config, DataLock lock)
    : config_(std::move(config)), lock_(std::move(lock)) {}

Result<std::unique_ptr<Runtime>> Runtime::start(std::shared_ptr<const config::Config> config, DataLock lock, Log& log) {
  std::unique_ptr<Runtime> r(new Runtime(config, std::move(lock)));
  if (auto format = storage::begin_node(r->env_, config->data_dir); !format) return format.error();
  control::ControlOptions options;
  options.database = config->data_dir / "control.db";
  options.seal_key_file = config->seal_key_file;
  auto control = control::open_sqlite(options);
  if (!control) return control.error();
  r->control_ = std::move(*control);

  const size_t machine = std::max(1u, std::thread::hardware_concurrency());
  const size_t cores = config->threads != 0 ? config->threads : machine;
  // Storage syncs and database writes wait for the disk, not for a processor.
  r->blocking_ = std::make_unique<asio::thread_pool>(std::max<size_t>(8, 2 * cores));
  // One hash takes tens of milliseconds and megabytes: a flood of wrong passwords must not take the machine.
  r->passwords_ = std::make_unique<asio::thread_pool>(std::clamp<size_t>(machine / 2, 1, 8));
  // A search is processor time: as many as there are processors, and nothing that a client waits for behind them.
  r->searches_ = std::make_unique<asio::thread_pool>(machine);
  r->background_ = std::make_unique<asio::thread_pool>(1);
  asio::post(*r->background_, [] { (void)::setpriority(PRIO_PROCESS, 0, background_nice); });  // of that thread alone
  std::vector<asio::any_io_executor> executors;
  for (size_t i = 0; i < cores; ++i) {
    r->contexts_.push_back(std::make_unique<asio::io_context>(1));
    r->work_.push_back(asio::make_work_guard(*r->contexts_.back()));
    executors.push_back(r->contexts_.back()->get_executor());
  }
  source::Services services{*r->config_,
                            *r->control_,
                            r->env_,
                            executors,
                            *r->blocking_,
                            std::make_shared<const quirks::LoadedRules>(quirks::load_rules(r->config_->quirk_rules)),
                            nullptr,
                            nullptr,
                            r->background_.get()};
  services.warn = [&log](const std::string& user, const std::string& what) { log.warning(what, {{"user", user}}); };
  r->descriptors_ = std::make_unique<source::Descriptors>(descriptors_allowed(config->descriptors));
  services.descriptors = r->descriptors_.get();
  r->services_ = std::make_unique<source::Services>(std::move(services));
  r->registry_ = std::make_unique<source::Registry>(*r->services_);
  r->services_->registry = r->registry_.get();

  for (const auto& context : r->contexts_) {
    r->threads_.emplace_back([c = context.get()] { c->run(); });
  }
  return r;
}

awaitable<void> Runtime::close_accounts() { co_await registry_->close(); }

bool Runtime::stop() {
  if (std::exchange(stopped_, true)) return closed_;
  if (!threads_.empty()) {
    // Bounded, since a dead upstream may not keep the process alive: what is not closed is what a crash would leave.
    auto closed = asio::co_spawn(cores().front(), close_accounts(), asio::use_future);
    closed_ = closed.wait_for(close_patience) == std::future_status::ready;
  }
  work_.clear();
  for (const auto& context : contexts_) context->stop();
  for (std::thread& t : threads_) t.join();
  if (blocking_) blocking_->join();
  if (passwords_) passwords_->join();
  if (searches_) searches_->join();
  if (background_) background_->join();
  return closed_;
}

Runtime::~Runtime() {
  stop();
  // Accounts own streams and timers of the contexts; what is still suspended dies with the contexts.
  registry_.reset();
  contexts_.clear();
}

}  // namespace gateway
