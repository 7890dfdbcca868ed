// Long work of one command on the searches' own pool, in slices, so that a client that goes away, or is sent away,
// stops it, and no sync waits behind it. On the account's core; the slices run on the pool.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>

#include "gateway/imap/session.h"

namespace gateway::imap {

class Slices {
 public:
  using Clock = std::chrono::steady_clock;
  // Works until that time or its end, whichever comes first; true: it is done. Owns, or shares, what it uses.
  using Work = std::function<bool(Clock::time_point until)>;

  explicit Slices(Session& s) : s_(s) {}
  // False: nobody waits for the answer any more.
  awaitable<bool> run(Work work);
  // Set while a slice runs that nobody waits for: it is to end by itself, soon.
  const std::shared_ptr<std::atomic<bool>>& cancelled() const { return cancelled_; }

 private:
  awaitable<bool> run_one(Work work);
  awaitable<bool> still_wanted();

  Session& s_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  bool asked_ = false;  // whether anybody is still there
};

}  // namespace gateway::imap
