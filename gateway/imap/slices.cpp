#include "gateway/imap/slices.h"

#include <utility>

#include "wire/net/pool.h"

namespace gateway::imap {
namespace {

constexpr std::chrono::milliseconds slice{20};  // what one may take of its thread

asio::thread_pool& pool_of(Session& s) {
  const Environment& e = s.environment();
  return e.searches ? *e.searches : *e.pool;
}

}  // namespace

// The session waits for the pool even when it is cancelled.
awaitable<bool> Slices::run_one(Work work) {
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  asio::cancellation_slot slot = state.slot();
  if (slot.is_connected()) {
    slot.assign([flag = cancelled_](asio::cancellation_type) { *flag = true; });
  }
  asio::thread_pool& pool = pool_of(s_);
  auto on_pool = [work = std::move(work)] { return work(Clock::now() + slice); };
  const bool done = co_await wire::net::run_on_pool(pool, std::move(on_pool));
  if (slot.is_connected()) slot.clear();
  co_return done;
}

awaitable<bool> Slices::still_wanted() {
  if (s_.leaving()) co_return false;
  if (s_.stream().peer_state() == wire::net::Stream::PeerState::ended && !std::exchange(asked_, true)) {
    // It may only have said that nothing more will come (a script's last command). If it is gone altogether, it resets
    // what it gets, and the next look shows that.
    s_.out() += "* OK Searching\r\n";
    co_await s_.flush();
  }
  co_return s_.stream().is_open() && s_.stream().peer_state() != wire::net::Stream::PeerState::gone;
}

awaitable<bool> Slices::run(Work work) {
  for (bool done = false; !done;) {
    done = co_await run_one(work);
    const bool wanted = co_await still_wanted();
    if (!wanted) co_return false;
  }
  co_return true;
}

}  // namespace gateway::imap
