#include "gateway/source/registry.h"

#include <algorithm>
#include <functional>

#include "gateway/source/account_directory.h"
#include "gateway/source/log_lease.h"
#include "gateway/source/user_account.h"
#include "storage/node_format.h"
#include "wire/net/pool.h"
#include "wire/net/tasks.h"

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

// A user's place in the map. Its members belong to the user's core, but `usage`, which the registry's lock guards.
struct Registry::Slot {
  std::string user;
  asio::any_io_executor core;
  std::unique_ptr<wire::net::Event> opened;
  bool opening = false;
  UserAccountPtr account;
  std::unique_ptr<wire::net::TaskGroup> tasks;  // the account that closes itself
  std::shared_ptr<const Usage> usage;           // null: not open
};

// Ends also when whoever opens is cancelled.
class Registry::Opening {
 public:
  explicit Opening(Slot& slot) : slot_(slot) { slot_.opening = true; }
  ~Opening() {
    slot_.opening = false;
    slot_.opened->notify_all();
  }
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;

 private:
  Slot& slot_;
};

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

awaitable<Result<UserAccountPtr>> Registry::open(std::string user, std::string password) {
  std::shared_ptr<Slot> slot;
  {
    std::lock_guard lock(mutex_);
    if (closing_) co_return Failure(Errc::unavailable, "the gateway is shutting down");
  }
  slot = slot_of(user);
  awaitable<Result<UserAccountPtr>> there = open_on_core(slot, std::move(password));
  co_return co_await asio::co_spawn(slot->core, std::move(there), asio::use_awaitable);
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

awaitable<Result<UserAccountPtr>> Registry::open_on_core(std::shared_ptr<Slot> slot, std::string password) {
  if (!slot->opened) slot->opened = std::make_unique<wire::net::Event>(slot->core);
  if (!slot->tasks) {
    auto on_error = [this, user = slot->user](const std::string&, std::exception_ptr e) {
      services_.warn(user, "closing a failed store: " + wire::net::describe(e));
    };
    slot->tasks = std::make_unique<wire::net::TaskGroup>(slot->core, on_error);
  }
  while (slot->opening) co_await slot->opened->wait();
  if (!slot->account || slot->account->closed()) {
    Result<UserAccountPtr> made = Failure(Errc::internal, "");
    {
      Opening claim(*slot);
      made = co_await make(slot);
    }
    if (!made) co_return made.error();
    slot->account = *made;
    std::lock_guard lock(mutex_);
    slot->usage = slot->account->usage();
  }
  slot->account->note_open();
  if (!password.empty()) slot->account->remember_password(std::move(password));
  co_return slot->account;
}

// A freeze that nobody holds any more (the process that began it is gone) is thawed before anything else: the source is
// still the truth. The epoch goes above all that the log has seen.
awaitable<Result<control::User>> Registry::thaw_leftover(control::User user, storage::Epoch log_epoch) {
  control::Control::Transition t;
  t.user = user.name;
  t.from = user.state;
  t.from_epoch = user.placement.epoch;
  t.to = control::State::tracking;
  t.placement.owner = Owner::upstream;
  t.placement.epoch = std::max(user.placement.epoch, log_epoch).next();
  t.actor = "gateway";
  t.reason = "a cutover was interrupted before its commit; the source is the authority";
  control::Control* control = &services_.control;
  auto work = [control, t] { return control->transition(t); };
  if (auto done = co_await run_on_pool(services_.blocking, work); !done) co_return done.error();
  user.state = t.to;
  user.placement = t.placement;
  co_return user;
}

// UIDs of an upstream's are never ours to give out: there only the MODSEQs that we number jump, and the ladder brings
// the rest up to date.
awaitable<Result<void>> Registry::jump_if_restored(control::User user, storage::Account* store,
                                                   std::shared_ptr<LogLease> lease) {
  const storage::Lsn end = store->appended();
  auto check = [lease, end] { return lease->check(end); };
  auto verdict = co_await run_on_pool(services_.blocking, check);
  if (!verdict) co_return verdict.error();
  if (!verdict->restored) co_return Result<void>();
  const bool uids = user.placement.owner == Owner::local;
  const storage::Lsn above(std::max(verdict->limit, end).value + LogLease::gap);
  auto jump = [store, above, uids] { return store->jump(above, uids); };
  if (auto ok = co_await run_on_pool(services_.blocking, jump); !ok) co_return ok.error();
  const uint64_t lost = verdict->used > end ? verdict->used.value - end.value : 0;
  const std::string what = "an older copy of the account's directory was put back: it ends at change " +
                           std::to_string(end.value) + "; at least " + std::to_string(lost) +
                           " later changes are gone" + (uids ? ", mail that came since it was made with them" : "") +
                           (uids ? "; UIDs and MODSEQs go on far above what clients have seen"
                                 : "; the copy is brought up to date from the source");
  services_.warn(user.name, what);
  const std::string evidence = "{\"end\":" + std::to_string(end.value) +
                               ",\"used\":" + std::to_string(verdict->used.value) +
                               ",\"limit\":" + std::to_string(verdict->limit.value) + "}";
  control::Control* control = &services_.control;
  const storage::Lsn now = store->durable();
  auto tell = [control, lease, user, what, evidence, now]() -> Result<void> {
    if (auto ok = lease->note(now, true); !ok) return ok;
    return control->note_event(user.name, "gateway", what, evidence);
  };
  co_return co_await run_on_pool(services_.blocking, tell);
}

awaitable<Result<UserAccountPtr>> Registry::make(std::shared_ptr<Slot> slot) {
  control::Control* control = &services_.control;
  std::string name = slot->user;
  auto look = [control, name] { return control->find_user(name); };
  auto found = co_await run_on_pool(services_.blocking, look);
  if (!found)
    co_return Failure(Errc::unavailable, "the placement of '" + name + "' cannot be read: " + found.error().note);
  if (!*found) co_return Failure(Errc::not_found, "no such user: " + name);
  control::User user = std::move(**found);
  // The log's end, an older segment, index.snap of which not all has been read, and derived data.
  uint64_t needs = 4;
  if (const auto up = services_.config.upstreams.find(user.upstream); up != services_.config.upstreams.end()) {
    if (user.placement.owner != Owner::local) needs += up->second.max_per_user != 0 ? up->second.max_per_user : 3;
  }
  auto descriptors = co_await take_descriptors(needs, 0);
  if (!descriptors) co_return descriptors.error();

  std::filesystem::path directory = account_directory(services_.config.data_dir, user.name);
  storage::Env* env = &services_.env;
  const size_t tombstone_ranges = services_.config.tombstone_ranges;
  const uint64_t segment_size = services_.config.segment_size;
  auto lease = std::make_shared<LogLease>(services_.control, user.name, directory / "log");
  auto known = [control, name] { return control->log_lease(name); };
  auto line = co_await run_on_pool(services_.blocking, known);
  if (!line) co_return Failure(Errc::unavailable, "the control database cannot be read: " + line.error().note);
  // An empty mailbox in the place of somebody's mail would empty his clients, too.
  const bool may_create = user.placement.owner != Owner::local || !*line || (*line)->used.value == 0;
  auto open_store = [env, directory, tombstone_ranges, segment_size, may_create, data_dir = services_.config.data_dir](
                        storage::Epoch epoch, bool read_only) -> Result<std::unique_ptr<storage::Account>> {
    // Read at each opening: finalize-format may have changed it.
    Result<uint32_t> format = storage::node_format(*env, data_dir);
    if (!format) return format.error();
    storage::OpenOptions options;
    options.format = *format;
    options.create = !read_only && may_create;
    options.read_only = read_only;
    options.epoch = epoch;
    options.tombstone_ranges = tombstone_ranges;
    options.segment_bytes = segment_size;
    return storage::Account::open(*env, directory, options);
  };
  storage::Epoch epoch = user.placement.epoch;
  auto first = [open_store, epoch] { return open_store(epoch, false); };
  auto store = co_await run_on_pool(services_.blocking, first);
  const bool stale = !store && store.error().code == Errc::conflict && user.placement.owner != Owner::local;
  if (stale || (store && user.placement.owner == Owner::frozen)) {
    storage::Epoch log_epoch;
    if (stale) {
      auto peek = [open_store] { return open_store(storage::Epoch(UINT64_MAX), true); };
      auto peeked = co_await run_on_pool(services_.blocking, peek);
      if (!peeked) co_return peeked.error();
      log_epoch = (*peeked)->epoch();
    }
    auto thawed = co_await thaw_leftover(user, log_epoch);
    if (!thawed) co_return thawed.error();
    user = std::move(*thawed);
    if (stale) {
      epoch = user.placement.epoch;
      auto again = [open_store, epoch] { return open_store(epoch, false); };
      store = co_await run_on_pool(services_.blocking, again);
    }
  }
  if (!store) {
    Failure why = store.error();
    if (why.code == Errc::not_found && !may_create) {
      why = Failure(Errc::unavailable, "its directory is missing: restore it from a backup");
      services_.warn(user.name, "the store cannot be opened: " + why.note);
    }
    why.note = "the store of '" + user.name + "' cannot be opened: " + why.note;
    co_return why;
  }
  for (const auto& d : (*store)->open_report().damage) {
    services_.warn(user.name, "the store is damaged: " + d.what + " at " + d.where + "; run fairlead doctor");
  }
  if (auto ok = co_await jump_if_restored(user, store->get(), lease); !ok) co_return ok.error();
  if ((*store)->tree()->find("INBOX") == nullptr && user.placement.owner == Owner::local) {
    storage::MailboxInfo inbox;
    inbox.name = "INBOX";
    storage::Batch batch = (*store)->begin();
    if (auto made = batch.create_mailbox(inbox); !made) co_return made.error();
    if (auto done = (*store)->commit(std::move(batch)); !done) co_return done.error();
  }
  auto account = std::make_shared<UserAccount>(services_, slot->core, user, std::move(*store));
  account->the_copy().set_lease(lease);
  account->keep(std::move(*descriptors));
  // Also finishes a commit that was cut short after its compare-and-swap.
  if (auto ok = co_await account->settle(user.state, user.placement); !ok) co_return ok.error();
  co_return account;
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
