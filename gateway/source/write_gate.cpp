#include "gateway/source/write_gate.h"

#include <memory>

namespace gateway::source {

using std::chrono::steady_clock;
using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

// A timer of its own wakes everybody at the deadline: each looks at its own condition again.
awaitable<void> WriteGate::change_or(steady_clock::time_point deadline) {
  asio::steady_timer alarm(core_, deadline);
  alarm.async_wait([this](boost::system::error_code ec) {
    if (!ec) changed_.notify_all();
  });
  co_await changed_.wait();
}

awaitable<Result<WriteGate::Pass>> WriteGate::enter(std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (shut_) {
    if (steady_clock::now() >= deadline) {
      co_return Failure(Errc::unavailable, "the account is being moved; try again in a moment");
    }
    co_await change_or(deadline);
  }
  co_return Pass(this);
}

awaitable<bool> WriteGate::drained(std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (inside_ != 0) {
    if (steady_clock::now() >= deadline) co_return false;
    co_await change_or(deadline);
  }
  co_return true;
}

}  // namespace gateway::source
