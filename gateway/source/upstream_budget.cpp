#include "gateway/source/upstream_budget.h"

#include <algorithm>

namespace gateway::source {

using wire::base::Errc;
using wire::base::Failure;

namespace {

constexpr wire::net::Timeout migration_step{2'000};

}  // namespace

// Its event belongs to the waiter's core, `granted` to the budget's lock.
struct UpstreamBudget::Waiter {
  explicit Waiter(asio::any_io_executor c) : core(c), granted_event(c) {}
  asio::any_io_executor core;
  wire::net::Event granted_event;
  bool granted = false;
};

// Leaves the queue, also when the one who waits is cancelled; what was granted and not taken goes to the next.
class UpstreamBudget::Waiting {
 public:
  Waiting(std::shared_ptr<UpstreamBudget> budget, std::shared_ptr<Waiter> waiter, Use use)
      : budget_(std::move(budget)), waiter_(std::move(waiter)), use_(use) {}
  ~Waiting() {
    {
      const std::lock_guard lock(budget_->mutex_);
      if (!waiter_->granted) {
        (use_ == Use::session ? budget_->sessions_ : budget_->migrations_).remove(waiter_);
        // Migration may have waited only for this one.
        budget_->grant_waiting();
        return;
      }
    }
    if (!taken_) budget_->release(use_);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  bool granted() const {
    const std::lock_guard lock(budget_->mutex_);
    return waiter_->granted;
  }
  void take() { taken_ = true; }

 private:
  std::shared_ptr<UpstreamBudget> budget_;
  std::shared_ptr<Waiter> waiter_;
  Use use_;
  bool taken_ = false;
};

bool UpstreamBudget::has_room(Use use) const {
  if (limits_.connections != 0 && used_ >= limits_.connections) return false;
  return use == Use::session || limits_.migration == 0 || migrating_ < limits_.migration;
}

bool UpstreamBudget::try_take(Use use, Place& into) {
  {
    const std::lock_guard lock(mutex_);
    if (!has_room(use) || !sessions_.empty()) return false;
    if (use == Use::migration && !migrations_.empty()) return false;
    ++used_;
    if (use == Use::migration) ++migrating_;
  }
  into = Place(shared_from_this(), use);
  return true;
}

awaitable<Result<UpstreamBudget::Place>> UpstreamBudget::take(Use use, wire::net::Timeout patience) {
  Place place;
  if (try_take(use, place)) co_return std::move(place);
  const asio::any_io_executor here = co_await asio::this_coro::executor;
  auto waiter = std::make_shared<Waiter>(here);
  {
    const std::lock_guard lock(mutex_);
    (use == Use::session ? sessions_ : migrations_).push_back(waiter);
    grant_waiting();
    if (!waiter->granted) ask_for_idle();
  }
  Waiting waiting(shared_from_this(), waiter, use);
  auto granted = [&waiting] { return waiting.granted(); };
  bool in_time = false;
  if (use == Use::session) {
    in_time = co_await waiter->granted_event.wait_for(granted, patience);
  } else {
    // Sessions' connections rest and work again: what can be had of them is asked for now and then.
    for (wire::net::Timeout waited{0}; !in_time && waited < patience; waited += migration_step) {
      in_time = co_await waiter->granted_event.wait_for(granted, migration_step);
      if (in_time) break;
      const std::lock_guard lock(mutex_);
      ask_for_idle();
    }
  }
  if (!in_time) co_return Failure(Errc::unavailable, "the upstream's connections are all in use; try again");
  waiting.take();
  co_return Place(shared_from_this(), use);
}

void UpstreamBudget::grant_waiting() {
  for (;;) {
    const bool session = !sessions_.empty();
    auto& queue = session ? sessions_ : migrations_;
    const Use use = session ? Use::session : Use::migration;
    if (queue.empty() || !has_room(use)) return;
    std::shared_ptr<Waiter> waiter = std::move(queue.front());
    queue.pop_front();
    ++used_;
    if (use == Use::migration) ++migrating_;
    waiter->granted = true;
    asio::post(waiter->core, [waiter] { waiter->granted_event.notify_all(); });
  }
}

void UpstreamBudget::release(Use use) {
  const std::lock_guard lock(mutex_);
  --used_;
  if (use == Use::migration) --migrating_;
  grant_waiting();
}

bool UpstreamBudget::Place::change_use(Use to) {
  if (!budget_ || use_ == to) {
    use_ = to;
    return true;
  }
  const std::lock_guard lock(budget_->mutex_);
  if (to == Use::migration) {
    const size_t most = budget_->limits_.migration;
    if (!budget_->sessions_.empty() || (most != 0 && budget_->migrating_ >= most)) return false;
    ++budget_->migrating_;
  } else {
    --budget_->migrating_;
  }
  use_ = to;
  budget_->grant_waiting();
  return true;
}

std::shared_ptr<UpstreamBudget::Keeper> UpstreamBudget::keeps_idle(asio::any_io_executor core, Shed shed) {
  auto keeper = std::make_shared<Keeper>(std::move(core), std::move(shed));
  const std::lock_guard lock(mutex_);
  std::erase_if(keepers_, [](const std::weak_ptr<Keeper>& k) { return k.expired(); });
  keepers_.push_back(keeper);
  return keeper;
}

// One connection for each session that waits, or one for migration. A keeper that has none any more when it is told
// ends the next that comes to rest.
void UpstreamBudget::ask_for_idle() {
  if (limits_.connections == 0 || used_ < limits_.connections) return;
  const Use use = sessions_.empty() ? Use::migration : Use::session;
  size_t wanted = use == Use::session ? sessions_.size() : 1;
  for (const std::weak_ptr<Keeper>& weak : keepers_) {
    if (wanted == 0) return;
    const std::shared_ptr<Keeper> keeper = weak.lock();
    if (!keeper || keeper->resting == 0) continue;
    // Migration gets only what has rested for a while, which its keeper knows: all are asked.
    if (use == Use::session) --wanted;
    auto tell = [weak, use] {
      if (const std::shared_ptr<Keeper> there = weak.lock()) there->shed(use);
    };
    asio::post(keeper->core, tell);
  }
}

bool UpstreamBudget::sessions_wait() const {
  const std::lock_guard lock(mutex_);
  return !sessions_.empty();
}

bool UpstreamBudget::has_room() const {
  const std::lock_guard lock(mutex_);
  return sessions_.empty() && has_room(Use::session);
}

size_t UpstreamBudget::in_use() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

}  // namespace gateway::source
