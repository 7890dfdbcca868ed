// Opening an account: its placement, its store, and what a crash or a restored directory makes necessary first.
#include "gateway/source/account_directory.h"
#include "gateway/source/log_lease.h"
#include "gateway/source/registry_slot.h"
#include "storage/node_format.h"
#include "wire/net/pool.h"

namespace gateway::source {

using storage::Errc;
using storage::Failure;
using wire::net::run_on_pool;

awaitable<Result<UserAccountPtr>> Registry::open(std::string user, std::string password) {
  std::shared_ptr<Slot> slot;
  used_at_ = Usage::now();
  {
    std::lock_guard lock(mutex_);
    if (closing_) co_return Failure(Errc::unavailable, "the gateway is shutting down");
  }
  slot = slot_of(user);
  awaitable<Result<UserAccountPtr>> there = open_on_core(slot, std::move(password), true);
  co_return co_await asio::co_spawn(slot->core, std::move(there), asio::use_awaitable);
}

awaitable<Result<UserAccountPtr>> Registry::open_on_core(std::shared_ptr<Slot> slot, std::string password,
                                                         bool in_use) {
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
  if (in_use) slot->account->note_open();
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

}  // namespace gateway::source
