// Runs a blocking function on a thread pool and resumes the coroutine on its own executor.
//
// The function runs to its end even if the task is cancelled meanwhile: it must bound its own time, own or share what
// it uses, and touch nothing of the caller's thread but what the caller leaves alone while it waits. The pool must be
// joined before the io_context is destroyed. Exceptions of the function come out of the co_await.
#pragma once

#include <boost/asio/async_result.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <variant>

#include "wire/net/asio.h"

namespace wire::net {

namespace detail {

struct Done {};

template <class F>
using PoolOutcome = std::variant<
    std::conditional_t<std::is_void_v<std::invoke_result_t<F&>>, Done, std::optional<std::invoke_result_t<F&>>>,
    std::exception_ptr>;

template <class F>
PoolOutcome<F> run_caught(F& fn) {
  PoolOutcome<F> out;
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
      fn();
    } else {
      out.template emplace<0>(fn());
    }
  } catch (...) {
    out.template emplace<1>(std::current_exception());
  }
  return out;
}

}  // namespace detail

template <class F>
awaitable<std::invoke_result_t<F&>> run_on_pool(asio::thread_pool& pool, F fn) {
  using Outcome = detail::PoolOutcome<F>;
  const asio::any_io_executor home = co_await asio::this_coro::executor;
  auto initiate = [&pool, &fn, home](auto handler) {
    asio::post(pool, [&fn, handler = std::move(handler), work = asio::make_work_guard(home)]() mutable {
      Outcome out = detail::run_caught(fn);
      auto executor = work.get_executor();
      asio::post(executor, [handler = std::move(handler), out = std::move(out)]() mutable {
        std::move(handler)(std::move(out));
      });
    });
  };
  Outcome out =
      co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Outcome)>(initiate, asio::use_awaitable);
  if (out.index() == 1) std::rethrow_exception(std::get<1>(out));
  if constexpr (!std::is_void_v<std::invoke_result_t<F&>>) co_return std::move(*std::get<0>(out));
}

}  // namespace wire::net
