// Which accounts are open on this node, and where. The one object that all cores share; it locks only its map.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/control/control.h"
#include "gateway/source/account.h"
#include "gateway/source/descriptors.h"
#include "gateway/source/upstream_budget.h"
#include "quirks/rules.h"
#include "storage/env.h"
#include "wire/net/asio.h"
#include "wire/net/wheel.h"

namespace gateway::source {

class UserAccount;

// What accounts and jobs need of the process. Made once by the server or by a verb; outlives all of them.
struct Services {
  const config::Config& config;
  control::Control& control;
  storage::Env& env;
  std::vector<asio::any_io_executor> cores;          // one io_context each
  asio::thread_pool& blocking;                       // syncs, cold reads, the control database
  std::shared_ptr<const quirks::LoadedRules> rules;  // built-in and configured
  class Registry* registry = nullptr;
  // Words for the log; any thread.
  std::function<void(const std::string& user, const std::string& what)> warn;
  asio::thread_pool* background = nullptr;  // what may wait: derived data; null: `blocking`
  Descriptors* descriptors = nullptr;       // null: not counted
};

class Registry {
 public:
  explicit Registry(Services& services) : services_(services) {}

  // The core that owns the user's account: a pure function of the name.
  asio::any_io_executor core_of(const std::string& user) const;

  // The connections that this node may have at the upstream; one object each, made when first asked for. Any thread.
  std::shared_ptr<UpstreamBudget> budget_of(const config::Upstream& upstream);

  // What a proof of identity has found out about an upstream's administrator, as long as the process lives. Any thread.
  bool admin_has_no_inbox(const std::string& upstream) const;
  void note_admin_has_no_inbox(const std::string& upstream);

  // Opens the account on its core, or joins those who have it open. May be awaited on any core; resumes on the
  // caller's. `password`: what the user just logged in with, kept in memory while sessions live, for upstreams that
  // know no admin. Errc::not_found: no such user. Errc::unavailable: its placement cannot be read (I2).
  awaitable<Result<std::shared_ptr<UserAccount>>> open(std::string user, std::string password = {});

  // Closes one account if it is open: its sessions are told to leave.
  awaitable<void> close_user(std::string user, std::string why);
  // The same from the account's core without waiting, for an account that finds that it cannot go on.
  void close_soon(const std::string& user, std::string why);
  // Closes the account and runs `work` on the pool while nobody has it open; who opens it meanwhile waits.
  awaitable<void> while_closed(std::string user, std::string why, std::function<void()> work);
  // Closes it when no session uses it, no job runs, and nobody has opened it since `opens` was read.
  awaitable<void> close_if_unused(std::string user, uint64_t opens);
  // Closes accounts that nobody has used for that long. For a timer of the server's.
  awaitable<void> sweep(std::chrono::seconds idle);
  // Gives space back, one account after the other, where it is due. For a timer of the server's.
  awaitable<void> maintain();
  // The same for one account that nobody has open, where one is due and the node is quiet; false: none. For another
  // timer (visits.cpp).
  awaitable<bool> visit_one();
  // Takes descriptors from the budget; where it is used up, the accounts that have been idle longest are closed first.
  // Errc::unavailable: every account is in use. Any core.
  awaitable<Result<Descriptors::Hold>> take_descriptors(uint64_t n, uint64_t spare);
  // Ends everything: accounts close their stores and upstream connections. Bounded.
  awaitable<void> close();

 private:
  struct Slot;
  class Opening;
  awaitable<Result<std::shared_ptr<UserAccount>>> open_on_core(std::shared_ptr<Slot> slot, std::string password,
                                                               bool in_use);
  awaitable<Result<std::shared_ptr<UserAccount>>> make(std::shared_ptr<Slot> slot);
  awaitable<Result<void>> jump_if_restored(control::User user, storage::Account* store,
                                           std::shared_ptr<class LogLease> lease);
  awaitable<Result<control::User>> thaw_leftover(control::User user, storage::Epoch log_epoch);
  awaitable<void> work_on_core(std::shared_ptr<Slot> slot, std::string why, std::function<void()> work);
  std::shared_ptr<Slot> slot_of(const std::string& user);
  awaitable<void> close_on_core(std::shared_ptr<Slot> slot, std::string why);
  awaitable<void> close_unused_on_core(std::shared_ptr<Slot> slot, std::optional<uint64_t> opens,
                                       std::chrono::milliseconds idle);
  awaitable<void> maintain_on_core(std::shared_ptr<Slot> slot);
  bool may_visit_now();
  awaitable<bool> visit_on_core(std::shared_ptr<Slot> slot);
  awaitable<void> note_visit(std::string user, control::Visit visit);
  awaitable<bool> close_idlest();
  awaitable<void> close_now(std::shared_ptr<Slot> slot, std::string why);
  std::shared_ptr<Slot> find(const std::string& user);

  Services& services_;
  mutable std::mutex mutex_;
  bool closing_ = false;
  std::map<std::string, std::shared_ptr<Slot>> slots_;
  std::map<std::string, std::shared_ptr<UpstreamBudget>> budgets_;
  std::set<std::string> admins_without_inbox_;
  std::atomic<int64_t> used_at_{0};  // milliseconds, as Usage: when an account was last opened for somebody

  // Whoever calls visit_one().
  std::vector<std::string> to_visit_;
  int64_t asked_at_ = 0, quiet_at_ = 0, visited_at_ = 0;
};

}  // namespace gateway::source
