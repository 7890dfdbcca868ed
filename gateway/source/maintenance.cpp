// The decision, and the pass itself: Copy's part that the pace belongs to.
#include "gateway/source/maintenance.h"

#include <algorithm>

#include "gateway/source/copy.h"
#include "storage/space.h"
#include "wire/net/pool.h"

namespace gateway::source {

namespace {

constexpr uint64_t many_frames = 20'000;  // some tens of MiB of usual mail
constexpr std::chrono::seconds idle_enough{20};
constexpr std::chrono::milliseconds longest_rest{2'000};

constexpr uint64_t bytes_a_step = 1u << 20;
constexpr size_t bodies_a_step = 256;  // well below a millisecond on the account's core

using storage::Rewrite;

}  // namespace

bool rewrite_is_due(const MaintenanceFacts& f) {
  if (f.busy) return false;
  if (f.frames_since >= many_frames) return true;
  return f.idle >= idle_enough && (!f.tried || f.frames_since >= many_frames / 10);
}

std::chrono::milliseconds rest_after(std::chrono::microseconds used, uint32_t share) {
  if (share >= 100) return std::chrono::milliseconds(0);
  const uint32_t part = std::max<uint32_t>(share, 1);
  const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(used * (100 - part) / part);
  return std::min(rest, longest_rest);
}

// Takes back a pass that did not come to its end, also when the one who waits is cancelled.
class Copy::Rewriting {
 public:
  Rewriting(Copy& copy, std::unique_ptr<Rewrite> pass) : copy_(copy), pass_(std::move(pass)) {
    copy_.rewriting_ = true;
  }
  ~Rewriting() {
    if (pass_) (void)pass_->cancel();
    copy_.rewriting_ = false;
    copy_.synced_.notify_all();
  }
  Rewriting(const Rewriting&) = delete;
  Rewriting& operator=(const Rewriting&) = delete;
  Rewrite* pass() { return pass_.get(); }
  void adopted() { pass_.reset(); }

 private:
  Copy& copy_;
  std::unique_ptr<Rewrite> pass_;
};

awaitable<Result<bool>> Copy::rewrite(uint32_t share) {
  if (closing_ || rewriting_) co_return false;
  storage::Account* store = store_.get();
  auto begun = storage::Space(*store).begin();
  if (!begun) co_return begun.error();
  const asio::any_io_executor here = co_await asio::this_coro::executor;
  bool gained = false;
  {
    Rewriting claim(*this, std::move(*begun));
    Rewrite* pass = claim.pass();  // null: pinned, or too little to look at
    if (pass != nullptr) {
      for (int part = 0; part < 2; ++part) {
        const bool copying = part == 1;  // first it looks, then it copies
        for (Rewrite::Step step = Rewrite::Step::more; step != Rewrite::Step::done;) {
          const auto start = std::chrono::steady_clock::now();
          auto work = [pass, copying] { return copying ? pass->copy(bytes_a_step) : pass->survey(bytes_a_step); };
          auto done = co_await wire::net::run_on_pool(pool_, work);
          if (!done) co_return done.error();
          step = *done;
          if (closing_) co_return false;
          if (step == Rewrite::Step::nothing) break;
          const auto used = std::chrono::steady_clock::now() - start;
          const auto rest = rest_after(std::chrono::duration_cast<std::chrono::microseconds>(used), share);
          if (rest.count() > 0) co_await wire::net::sleep_for(rest);
          if (closing_) co_return false;
          gained = step == Rewrite::Step::done;
        }
        if (!gained) break;
        // In slices, between which sessions run.
        for (bool ready = false; !ready;) {
          Result<bool> done = copying ? pass->adopt(bodies_a_step) : pass->condemn(bodies_a_step);
          if (!done) co_return done.error();
          ready = *done;
          co_await asio::post(here, asio::use_awaitable);
        }
        if (!copying) gained = false;
      }
      if (gained) claim.adopted();
    }
    auto tidy = [store] { return storage::Space(*store).retire(); };
    auto tidied = co_await wire::net::run_on_pool(pool_, tidy);
    if (!tidied) co_return tidied.error();
  }
  co_return gained;
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
