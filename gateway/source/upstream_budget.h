// How many connections this node has at one upstream, over all users and cores, and who gets the next one: sessions
// before migration, each kind in the order of asking (design 7).
//
// Any thread: a lock around counters and a list of those who wait. A wait resumes on the caller's core. Shared by
// those who hold a place; outlives them so.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "wire/base/failure.h"
#include "wire/net/wheel.h"

namespace gateway::source {

using wire::base::Result;

class UpstreamBudget : public std::enable_shared_from_this<UpstreamBudget> {
 public:
  enum class Use : uint8_t { session, migration };
  struct Limits {
    size_t connections = 0;  // all; 0: no limit
    size_t migration = 0;    // those that serve migration; 0: no limit of its own
  };

  // The right to one connection, until it is destroyed. An empty one belongs to no budget.
  class Place {
   public:
    Place() = default;
    Place(Place&& o) noexcept : budget_(std::move(o.budget_)), use_(o.use_) {}
    Place& operator=(Place&& o) noexcept {
      std::swap(budget_, o.budget_);
      std::swap(use_, o.use_);
      return *this;
    }
    ~Place() {
      if (budget_) budget_->release(use_);
    }
    Use use() const { return use_; }
    // Puts the connection to another use. False: migration has no place left, or sessions wait; then nothing changes.
    bool change_use(Use to);

   private:
    friend class UpstreamBudget;
    Place(std::shared_ptr<UpstreamBudget> budget, Use use) : budget_(std::move(budget)), use_(use) {}
    std::shared_ptr<UpstreamBudget> budget_;
    Use use_ = Use::session;
  };

  // Somebody who keeps connections that rest: told on its own core for whom to end one.
  using Shed = std::function<void(Use for_whom)>;
  struct Keeper {
    Keeper(asio::any_io_executor c, Shed s) : core(std::move(c)), shed(std::move(s)) {}
    asio::any_io_executor core;
    Shed shed;
    std::atomic<size_t> resting{0};  // how many could be ended; kept by the keeper
  };
  // Told as long as the pointer lives, which ends on its core.
  std::shared_ptr<Keeper> keeps_idle(asio::any_io_executor core, Shed shed);

  explicit UpstreamBudget(Limits limits) : limits_(limits) {}

  // Errc::unavailable: none became free in that time.
  awaitable<Result<Place>> take(Use use, wire::net::Timeout patience);
  // At once or not at all.
  bool try_take(Use use, Place& into);

  // Whether a session waits: then a connection that is done with is ended, not kept.
  bool sessions_wait() const;
  // Whether a session would get one at once.
  bool has_room() const;
  size_t in_use() const;

 private:
  struct Waiter;
  class Waiting;
  void release(Use use);
  bool has_room(Use use) const;  // callers hold mutex_
  void grant_waiting();          // the same
  void ask_for_idle();           // the same

  const Limits limits_;
  mutable std::mutex mutex_;
  size_t used_ = 0, migrating_ = 0;
  std::list<std::shared_ptr<Waiter>> sessions_, migrations_;
  std::vector<std::weak_ptr<Keeper>> keepers_;
};

}  // namespace gateway::source
