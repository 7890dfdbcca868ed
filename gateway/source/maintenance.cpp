// The decision, and the work itself: Copy's part that the pace belongs to.
#include "gateway/source/maintenance.h"

#include <algorithm>

#include "gateway/source/copy.h"
#include "storage/checkpoint.h"
#include "storage/space.h"
#include "wire/net/pool.h"

namespace gateway::source {

namespace {

constexpr uint64_t many_frames = 20'000;  // some tens of MiB of usual mail, and a tenth of a second to read again
constexpr int again_after = 180;          // times the quiet before a pass: an hour
constexpr std::chrono::seconds shortest_visit_period{1};
constexpr std::chrono::milliseconds longest_rest{2'000};
constexpr std::chrono::milliseconds longest_period{10'000}, shortest_period{500};

constexpr uint64_t bytes_a_step = 1u << 20;
constexpr size_t bodies_a_step = 256;  // well below a millisecond on the account's core

using storage::Rewrite;

}  // namespace

MaintenanceDue maintenance_due(const MaintenanceFacts& f, std::chrono::seconds idle_enough) {
  MaintenanceDue due;
  if (f.busy) return due;
  const bool much = f.frames_since >= many_frames / 10;
  // One frame may expunge a whole mailbox.
  const bool anything = f.frames_since > 0 && f.since >= again_after * idle_enough;
  const bool quiet = f.idle >= idle_enough;
  due.rewrite = f.frames_since >= many_frames || (quiet && (!f.tried || f.more || much || anything));
  due.tidy = f.leftover;
  due.checkpoint = f.tail >= many_frames;
  return due;
}

bool may_visit(const VisitFacts& f, std::chrono::seconds idle_enough) {
  const bool quiet = !f.job && f.unused >= idle_enough;
  return quiet ||
         (f.unquiet >= again_after * idle_enough && f.unvisited >= std::max(idle_enough, shortest_visit_period));
}

std::chrono::milliseconds maintenance_period(std::chrono::seconds idle_enough) {
  return std::clamp(std::chrono::milliseconds(idle_enough) / 2, shortest_period, longest_period);
}

std::chrono::milliseconds rest_after(std::chrono::microseconds used, uint32_t share) {
  if (share >= 100) return std::chrono::milliseconds(0);
  const uint32_t part = std::max<uint32_t>(share, 1);
  const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(used * (100 - part) / part);
  return std::min(rest, longest_rest);
}

std::chrono::milliseconds checkpoint_rest(std::chrono::milliseconds took) { return took * 100; }

// One at a time, and not while the copy is being closed.
class Copy::Tending {
 public:
  explicit Tending(Copy& copy) : copy_(copy) { copy_.tending_ = true; }
  ~Tending() {
    copy_.tending_ = false;
    copy_.synced_.notify_all();
  }
  Tending(const Tending&) = delete;
  Tending& operator=(const Tending&) = delete;

 private:
  Copy& copy_;
};

// Takes back a pass that did not come to its end, also when the one who waits is cancelled.
class Copy::Pass {
 public:
  explicit Pass(std::unique_ptr<Rewrite> pass) : pass_(std::move(pass)) {}
  ~Pass() {
    if (pass_) (void)pass_->cancel();
  }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;
  Rewrite* get() { return pass_.get(); }
  void adopted() { pass_.reset(); }

 private:
  std::unique_ptr<Rewrite> pass_;
};

awaitable<Result<RewriteOutcome>> Copy::rewrite(uint32_t share, storage::RetireOptions retire) {
  if (closing_ || tending_) co_return RewriteOutcome::later;
  const Tending claim(*this);
  auto outcome = co_await pass(share);
  const bool voided = !outcome && outcome.error().code == storage::Errc::unavailable;
  if (!outcome && !voided) co_return outcome.error();
  if (closing_) co_return RewriteOutcome::later;
  if (!voided && *outcome == RewriteOutcome::gained) {
    auto snapped = co_await write_checkpoint();
    if (!snapped && snapped.error().code != storage::Errc::unavailable) co_return snapped.error();
    if (closing_) co_return RewriteOutcome::gained;
  }
  auto tidied = co_await retire_replaced(retire);
  if (!tidied) co_return tidied.error();
  if (voided) co_return RewriteOutcome::later;
  co_return *outcome;
}

awaitable<Result<RewriteOutcome>> Copy::pass(uint32_t share) {
  if (store_->wants_dictionary()) {
    storage::Account* store = store_.get();
    auto train = [store] { return store->train_dictionary(); };
    auto trained = co_await wire::net::run_on_pool(pool_, train);
    if (!trained) co_return trained.error();
    if (closing_) co_return RewriteOutcome::later;
  }
  storage::Space space(*store_);
  auto begun = space.begin(space.usual());
  if (!begun) co_return begun.error();
  Pass claim(std::move(*begun));
  Rewrite* pass = claim.get();
  if (pass == nullptr) {
    // Pinned: it may be worth it as soon as that ends.
    auto pins = space.pins();
    co_return !pins || !pins->empty() ? RewriteOutcome::later : RewriteOutcome::nothing;
  }
  const asio::any_io_executor here = co_await asio::this_coro::executor;
  for (int part = 0; part < 2; ++part) {
    const bool copying = part == 1;  // first it looks, then it copies
    for (Rewrite::Step step = Rewrite::Step::more; step != Rewrite::Step::done;) {
      const auto start = std::chrono::steady_clock::now();
      auto work = [pass, copying] { return copying ? pass->copy(bytes_a_step) : pass->survey(bytes_a_step); };
      auto done = co_await wire::net::run_on_pool(pool_, work);
      if (!done) co_return done.error();
      step = *done;
      if (closing_) co_return RewriteOutcome::later;
      if (step == Rewrite::Step::nothing) co_return RewriteOutcome::nothing;
      const auto used = std::chrono::steady_clock::now() - start;
      const auto rest = rest_after(std::chrono::duration_cast<std::chrono::microseconds>(used), share);
      if (rest.count() > 0) co_await wire::net::sleep_for(rest);
      if (closing_) co_return RewriteOutcome::later;
    }
    // In slices, between which sessions run.
    for (bool ready = false; !ready;) {
      Result<bool> done = copying ? pass->adopt(bodies_a_step) : pass->condemn(bodies_a_step);
      if (!done) co_return done.error();
      ready = *done;
      co_await asio::post(here, asio::use_awaitable);
    }
  }
  claim.adopted();
  co_return RewriteOutcome::gained;
}

awaitable<Result<void>> Copy::checkpoint() {
  if (closing_ || tending_) co_return Result<void>();
  const Tending claim(*this);
  co_return co_await write_checkpoint();
}

awaitable<Result<void>> Copy::write_checkpoint() {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  checkpoint_owed_ = true;
  if (start < checkpoint_after_) co_return Result<void>();
  auto begun = storage::Checkpoint::begin(*store_);
  if (!begun) co_return begun.error();
  const std::unique_ptr<storage::Checkpoint> draft = std::move(*begun);
  if (!draft) {
    checkpoint_owed_ = false;
    co_return Result<void>();
  }
  storage::Checkpoint* d = draft.get();
  auto write = [d] { return d->write(); };
  auto done = co_await wire::net::run_on_pool(pool_, write);
  if (!done || closing_) co_return done;
  if (done = d->name(); !done) co_return done;
  // The same mailboxes, of which less is in memory now: nobody is to hold the others any longer.
  note_applied(store_->appended());
  publish_durable();
  auto settle = [d] { return d->settle(); };
  done = co_await wire::net::run_on_pool(pool_, settle);
  checkpoint_after_ =
      Clock::now() + checkpoint_rest(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start));
  if (!done || closing_) co_return done;
  checkpoint_owed_ = false;
  co_return d->end();
}

awaitable<Result<void>> Copy::tidy(storage::RetireOptions options) {
  if (closing_ || tending_) co_return Result<void>();
  const Tending claim(*this);
  co_return co_await retire_replaced(options);
}

awaitable<Result<void>> Copy::retire_replaced(storage::RetireOptions options) {
  storage::Account* store = store_.get();
  auto work = [store, options] { return storage::Space(*store).retire(options); };
  auto done = co_await wire::net::run_on_pool(pool_, work);
  if (!done) co_return done.error();
  co_return Result<void>();
}

bool Copy::leftover(int64_t now) {
  const std::optional<int64_t> due = leftover_due();
  return due && *due <= now;
}

awaitable<Result<void>> Copy::pin(std::string name, std::string reason) {
  storage::Account* store = store_.get();
  auto work = [store, name, reason] {
    return storage::Space(*store).pin(name, storage::PinKind::backup, store->durable(), reason);
  };
  co_return co_await wire::net::run_on_pool(pool_, work);
}

awaitable<Result<void>> Copy::unpin(std::string name) {
  storage::Account* store = store_.get();
  auto work = [store, name] { return storage::Space(*store).unpin(name); };
  co_return co_await wire::net::run_on_pool(pool_, work);
}

}  // namespace gateway::source
