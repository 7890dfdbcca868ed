// What every verb that touches mail needs, in the server as on the command line: the data directory's lock, the control
// database, threads, and the registry of accounts. One a process; made and destroyed by the main thread.
#pragma once

#include <boost/asio/use_future.hpp>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/control/control.h"
#include "gateway/log.h"
#include "gateway/source/registry.h"
#include "storage/env.h"
#include "wire/net/asio.h"

namespace gateway {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

// flock on <data_dir>/lock: one process works on a data directory. Released by the kernel when the process ends,
// however it ends. The file names the holder for people; it is never removed, since a removed file can be locked twice.
class DataLock {
 public:
  // Makes the directory (0700) if it is missing. Errc::unavailable: another process holds it.
  static Result<DataLock> take(const std::filesystem::path& data_dir);
  DataLock(DataLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DataLock& operator=(DataLock&&) = delete;
  ~DataLock();

 private:
  explicit DataLock(int fd) : fd_(fd) {}
  int fd_;
};

class Runtime {
 public:
  // Starts the threads. With `lock` taken before.
  static Result<std::unique_ptr<Runtime>> start(std::shared_ptr<const config::Config> config, DataLock lock, Log& log);
  ~Runtime();  // after stop()
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  source::Services& services() { return *services_; }
  asio::thread_pool& passwords() { return *passwords_; }
  asio::thread_pool& blocking() { return *blocking_; }
  asio::thread_pool& searches() { return *searches_; }
  const std::vector<asio::any_io_executor>& cores() const { return services_->cores; }

  // Closes every account and ends the threads. Idempotent. Executors stay valid until destruction, so that what owns
  // streams and timers may be destroyed in between. False: an account did not close in time; then the process should
  // end without destroying what its coroutines still refer to.
  bool stop();

  // Runs a coroutine on the first core and waits for it; its exceptions come out. Only on the main thread.
  template <class T>
  T run(awaitable<T> task) {
    // Asio's future is the one exception to "every task has an owner": the owner is the thread that waits here.
    return asio::co_spawn(cores().front(), std::move(task), asio::use_future).get();
  }

 private:
  Runtime(std::shared_ptr<const config::Config> config, DataLock lock);
  awaitable<void> close_accounts();

  const std::shared_ptr<const config::Config> config_;
  DataLock lock_;
  storage::PosixEnv env_;
  std::unique_ptr<control::Control> control_;
  std::vector<std::unique_ptr<asio::io_context>> contexts_;
  std::unique_ptr<asio::thread_pool> blocking_, passwords_, searches_, background_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::unique_ptr<source::Descriptors> descriptors_;
  std::unique_ptr<source::Services> services_;
  std::unique_ptr<source::Registry> registry_;
  std::vector<std::thread> threads_;
  bool stopped_ = false, closed_ = true;
};

}  // namespace gateway
