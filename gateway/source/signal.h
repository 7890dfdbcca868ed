// A condition that coroutines of one core wait for. Spurious wake-ups are possible: wait in a loop over the condition.
#pragma once

#include <chrono>

#include "wire/net/asio.h"

namespace gateway::source {

class Signal {
 public:
  explicit Signal(asio::any_io_executor core) : timer_(std::move(core), asio::steady_timer::time_point::max()) {}

  void notify_all() { timer_.cancel(); }

  awaitable<void> wait() {
    boost::system::error_code ignored;  // operation_aborted is the notification
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

 private:
  asio::steady_timer timer_;
};

}  // namespace gateway::source
