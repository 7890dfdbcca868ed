#include "gateway/source/registry.h"

#include <algorithm>

#include "gateway/source/registry_slot.h"
#include "wire/net/pool.h"

namespace gateway::source {

using storage::Errc;
using storage::Failure;
using wire::net::run_on_pool;

namespace {

// Whoever has just opened an account is about to use it.
constexpr std::chrono::milliseconds just_opened{250};
constexpr size_t closed_at_once = 4;
constexpr int patience = 4;  // times just_opened, where accounts are idle but only just

}  // namespace

asio::any_io_executor Registry::core_of(const std::string& user) const {
  return services_.cores[std::hash<std::string>{}(user) % services_.cores.size()];
}

std::shared_ptr<UpstreamBudget> Registry::budget_of(const config::Upstream& upstream) {
  UpstreamBudget::Limits limits;
  limits.connections = upstream.max_sessions;
  limits.migration = upstream.max_migration;
  const std::lock_guard lock(mutex_);
  std::shared_ptr<UpstreamBudget>& budget = budgets_[upstream.name];
  if (!budget) budget = std::make_shared<UpstreamBudget>(limits);
  return budget;
}

bool Registry::admin_has_no_inbox(const std::string& upstream) const {
  const std::lock_guard lock(mutex_);
  return admins_without_inbox_.contains(upstream);
}

void Registry::note_admin_has_no_inbox(const std::string& upstream) {
  const std::lock_guard lock(mutex_);
  admins_without_inbox_.insert(upstream);
}

std::shared_ptr<Registry::Slot> Registry::slot_of(const std::string& user) {
  std::lock_guard lock(mutex_);
  auto& place = slots_[user];
  if (!place) {
    place = std::make_shared<Slot>();
    place->user = user;
    place->core = core_of(user);
  }
  return place;
}

awaitable<void> Registry::while_closed(std::string user, std::string why, std::function<void()> work) {
  std::shared_ptr<Slot> slot = slot_of(user);
  awaitable<void> there = work_on_core(slot, std::move(why), std::move(work));
  co_await asio::co_spawn(slot->core, std::move(there), asio::use_awaitable);
}

awaitable<void> Registry::work_on_core(std::shared_ptr<Slot> slot, std::string why, std::function<void()> work) {
  if (!slot->opened) slot->opened = std::make_unique<wire::net::Event>(slot->core);
  while (slot->opening) co_await slot->opened->wait();
  Opening claim(*slot);
  if (UserAccountPtr account = std::exchange(slot->account, nullptr)) {
    if (auto done = co_await account->close(std::move(why)); !done) {
      services_.warn(slot->user, "the store was not closed cleanly: " + done.error().describe());
    }
  }
  co_await run_on_pool(services_.blocking, std::move(work));
}

std::shared_ptr<Registry::Slot> Registry::find(const std::string& user) {
  std::lock_guard lock(mutex_);
  auto it = slots_.find(user);
  return it == slots_.end() ? nullptr : it->second;
}

awaitable<void> Registry::close_user(std::string user, std::string why) {
  std::shared_ptr<Slot> slot = find(user);
  if (!slot) co_return;
  awaitable<void> there = close_on_core(slot, std::move(why));
  co_await asio::co_spawn(slot->core, std::move(there), asio::use_awaitable);
}

void Registry::close_soon(const std::string& user, std::string why) {
  std::shared_ptr<Slot> slot = find(user);
  if (slot && slot->tasks) slot->tasks->spawn("close", close_on_core(slot, std::move(why)));
}

awaitable<void> Registry::close_on_core(std::shared_ptr<Slot> slot, std::string why) {
  while (slot->opening) co_await slot->opened->wait();
  if (slot->account) co_await close_now(slot, std::move(why));
}

// Nobody may open the store again before it is closed: openers wait as for an opening.
awaitable<void> Registry::close_now(std::shared_ptr<Slot> slot, std::string why) {
  Opening claim(*slot);
  UserAccountPtr account = std::exchange(slot->account, nullptr);
  {
    std::lock_guard lock(mutex_);
    slot->usage = nullptr;
  }
  if (auto done = co_await account->close(std::move(why)); !done) {
    services_.warn(slot->user, "the store was not closed cleanly: " + done.error().describe());
  }
}

awaitable<void> Registry::close_unused_on_core(std::shared_ptr<Slot> slot, std::optional<uint64_t> opens,
                                               std::chrono::milliseconds idle) {
  if (slot->opening || !slot->account || !slot->account->unused_for(idle)) co_return;
  if (opens && slot->account->opens() != *opens) co_return;
  co_await close_now(slot, "the account is closed; please reconnect");
}

awaitable<void> Registry::close_if_unused(std::string user, uint64_t opens) {
  std::shared_ptr<Slot> slot = find(user);
  if (!slot) co_return;
  awaitable<void> there = close_unused_on_core(slot, opens, std::chrono::milliseconds(0));
  co_await asio::co_spawn(slot->core, std::move(there), asio::use_awaitable);
}

awaitable<void> Registry::sweep(std::chrono::seconds idle) {
  std::vector<std::shared_ptr<Slot>> slots;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [user, slot] : slots_) slots.push_back(slot);
  }
  for (std::shared_ptr<Slot>& slot : slots) {
    awaitable<void> there = close_unused_on_core(slot, std::nullopt, idle);
    co_await asio::co_spawn(slot->core, std::move(there), asio::use_awaitable);
  }
}

awaitable<void> Registry::maintain_on_core(std::shared_ptr<Slot> slot) {
  if (slot->opening || !slot->account || slot->account->closed()) co_return;
  const UserAccountPtr account = slot->account;  // kept until it has ended, also when it is closed meanwhile
  co_await account->maintain();
}

awaitable<void> Registry::maintain() {
  std::vector<std::shared_ptr<Slot>> slots;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [user, slot] : slots_) slots.push_back(slot);
  }
  for (std::shared_ptr<Slot>& slot : slots) {
    awaitable<void> there = maintain_on_core(slot);
    co_await asio::co_spawn(slot->core, std::move(there), asio::use_awaitable);
  }
}

awaitable<Result<Descriptors::Hold>> Registry::take_descriptors(uint64_t n, uint64_t spare) {
  if (services_.descriptors == nullptr) co_return Descriptors::Hold();
  for (int turn = 0;;) {
    if (auto hold = services_.descriptors->take(n, spare)) co_return std::move(*hold);
    // Each turn closes some that were idle, or waits, a bounded number of times, for those that are so only just.
    const bool closed = co_await close_idlest();
    if (closed) continue;
    bool soon = false;
    {
      std::lock_guard lock(mutex_);
      soon = std::any_of(slots_.begin(), slots_.end(),
                         [](const auto& s) { return s.second->usage && s.second->usage->busy == 0; });
    }
    if (!soon || ++turn > patience) break;
    co_await wire::net::sleep_for(just_opened);
  }
  co_return Failure(Errc::unavailable, "this server is full; try again later");
}

// False: there was none.
awaitable<bool> Registry::close_idlest() {
  std::vector<std::pair<int64_t, std::shared_ptr<Slot>>> idle;
  {
    std::lock_guard lock(mutex_);
    const int64_t before = Usage::now() - just_opened.count();
    for (const auto& [user, slot] : slots_) {
      if (slot->usage && slot->usage->busy == 0 && slot->usage->last < before) {
        idle.emplace_back(slot->usage->last, slot);
      }
    }
  }
  const auto end = idle.begin() + static_cast<ptrdiff_t>(std::min(idle.size(), closed_at_once));
  std::partial_sort(idle.begin(), end, idle.end());
  for (auto it = idle.begin(); it != end; ++it) {
    awaitable<void> there = close_unused_on_core(it->second, std::nullopt, just_opened);
    co_await asio::co_spawn(it->second->core, std::move(there), asio::use_awaitable);
  }
  co_return !idle.empty();
}

awaitable<void> Registry::close() {
  std::vector<std::string> users;
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    for (const auto& [user, slot] : slots_) users.push_back(user);
  }
  for (std::string& user : users) co_await close_user(std::move(user), "the gateway is shutting down");
}

}  // namespace gateway::source
