// Runs one coroutine to its end on an io_context, for tests. Fails loudly instead of hanging.
#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>

#include "wire/net/asio.h"

namespace tests::support {

inline constexpr std::chrono::seconds patience{60};

template <class T>
awaitable<void> keep(awaitable<T> task, std::optional<T>& out) {
  T value = co_await std::move(task);
  out.emplace(std::move(value));
}

inline void run(asio::io_context& context, awaitable<void> task) {
  bool done = false;
  std::exception_ptr error;
  auto finished = [&](std::exception_ptr e) {
    done = true;
    error = e;
  };
  asio::co_spawn(context, std::move(task), finished);
  context.restart();
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!done) {
    if (context.run_one_until(until) == 0 && !done) throw std::runtime_error("the test's coroutine is stuck");
  }
  if (error) std::rethrow_exception(error);
}

template <class T>
T run(asio::io_context& context, awaitable<T> task) {
  std::optional<T> out;
  run(context, keep(std::move(task), out));
  return std::move(*out);
}

// Everything that is ready now, without waiting for anything.
inline void poll(asio::io_context& context) {
  context.restart();
  context.poll();
}

}  // namespace tests::support
