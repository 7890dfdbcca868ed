// A total deadline for any coroutine: when it passes, the coroutine is cancelled, awaited, and the result is
// Errc::timeout. For single reads and writes pass a Timeout to the call instead: this one costs a coroutine (about 1
// KB) while it runs.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <exception>
#include <optional>

#include "wire/net/wheel.h"

namespace wire::net {

namespace detail {

template <class T>
awaitable<void> store(awaitable<Result<T>> op, std::optional<Result<T>>& out) {
  Result<T> r = co_await std::move(op);
  out.emplace(std::move(r));
}

class CancelOnExpiry : public WheelEntry {
 public:
  CancelOnExpiry(Wheel& wheel, asio::cancellation_signal& signal) : WheelEntry(wheel), signal_(signal) {}
  bool fired = false;

 private:
  void expired() override {
    fired = true;
    signal_.emit(asio::cancellation_type::terminal);
  }
  asio::cancellation_signal& signal_;
};

// Hands the awaiting task's own cancellation on to the signal while it lives.
class ForwardCancellation {
 public:
  ForwardCancellation(asio::cancellation_slot from, asio::cancellation_signal& to) : from_(from) {
    if (from_.is_connected()) from_.assign([&to](asio::cancellation_type type) { to.emit(type); });
  }
  ~ForwardCancellation() {
    if (from_.is_connected()) from_.clear();
  }
  ForwardCancellation(const ForwardCancellation&) = delete;
  ForwardCancellation& operator=(const ForwardCancellation&) = delete;

 private:
  asio::cancellation_slot from_;
};

}  // namespace detail

template <class T>
awaitable<Result<T>> with_deadline(Timeout timeout, awaitable<Result<T>> op) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  asio::cancellation_signal signal;
  detail::CancelOnExpiry entry(Wheel::of(executor), signal);
  entry.set(timeout);
  std::optional<Result<T>> out;
  std::exception_ptr error;
  {
    detail::ForwardCancellation forward(state.slot(), signal);
    awaitable<void> stored = detail::store(std::move(op), out);
    auto token = asio::bind_cancellation_slot(signal.slot(), asio::use_awaitable);
    try {
      co_await asio::co_spawn(executor, std::move(stored), token);
    } catch (...) {
      error = std::current_exception();
    }
  }
  entry.clear();
  if (out && (out->has_value() || !entry.fired)) co_return std::move(*out);
  if (entry.fired) co_return Failure(Errc::timeout, "the time for this step is over");
  std::rethrow_exception(error);
}

}  // namespace wire::net
