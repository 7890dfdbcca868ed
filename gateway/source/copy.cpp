#include "gateway/source/copy.h"

#include "wire/base/fault_point.h"
#include "wire/net/pool.h"

namespace gateway::source {

using storage::Errc;
using storage::Failure;
using storage::Lsn;
using wire::base::MailboxKey;

Copy::Copy(asio::any_io_executor core, asio::thread_pool& pool, std::unique_ptr<storage::Account> store)
    : pool_(pool), store_(std::move(store)), synced_(std::move(core)), tree_(store_->tree()) {}

awaitable<Result<MailboxPtr>> Copy::open(MailboxKey key) {
  for (;;) {
    if (auto it = open_.find(key); it != open_.end()) {
      if (auto box = it->second.lock(); box && !box->gone()) co_return box;
      open_.erase(it);
    }
    MailboxSnapshotPtr snapshot = store_->snapshot(key);
    if (!snapshot) co_return Failure(Errc::not_found, "no such mailbox");
    const Lsn applied = store_->appended();
    if (store_->durable() >= applied) {
      auto box = std::make_shared<Mailbox>(std::move(snapshot));
      open_[key] = box;
      co_return box;
    }
    if (auto done = co_await durable(applied); !done) co_return done.error();
  }
}

void Copy::note_applied(Lsn lsn) {
  Pending p{lsn, store_->tree(), {}};
  for (auto it = open_.begin(); it != open_.end();) {
    MailboxPtr box = it->second.lock();
    if (!box) {
      it = open_.erase(it);
      continue;
    }
    MailboxSnapshotPtr next = store_->snapshot(it->first);
    const bool reset = next && next->info().uid_validity != box->info().uid_validity;
    if (!next || reset) {
      p.snapshots.emplace_back(box, nullptr);
      it = open_.erase(it);
      continue;
    }
    if (next != box->current()) p.snapshots.emplace_back(std::move(box), std::move(next));
    ++it;
  }
  pending_.push_back(std::move(p));
}

void Copy::publish_durable() {
  const Lsn durable = store_->durable();
  while (!pending_.empty() && pending_.front().lsn <= durable) {
    Pending p = std::move(pending_.front());
    pending_.pop_front();
    tree_ = std::move(p.tree);
    for (auto& [box, snapshot] : p.snapshots) {
      if (snapshot) {
        box->publish(std::move(snapshot));
      } else {
        box->set_gone();
      }
    }
  }
}

Result<Lsn> Copy::apply(storage::Batch batch) {
  if (closing_) return Failure(Errc::closed, "the account is being closed");
  auto lsn = store_->commit(std::move(batch));
  wire::base::fault_point("frame-not-synced");
  if (!lsn && store_->failed()) return failed(lsn.error());
  if (lsn) note_applied(*lsn);
  return lsn;
}

// Whoever waited is told to come again: what became of a change is only known once the account is open again.
Failure Copy::failed(const Failure& why) {
  if (auto tell = std::exchange(on_failed_, nullptr)) tell(why.describe());
  return Failure(Errc::unavailable, "the account's disk failed; please reconnect");
}

awaitable<Result<void>> Copy::commit(storage::Batch batch) {
  auto lsn = apply(std::move(batch));
  if (!lsn) co_return lsn.error();
  co_return co_await durable(*lsn);
}

// Ends also when the one who waits is cancelled; the blocking call itself always runs to its end first.
class Copy::Syncing {
 public:
  explicit Syncing(Copy& copy) : copy_(copy) { copy_.syncing_ = true; }
  ~Syncing() {
    copy_.syncing_ = false;
    copy_.publish_durable();
    copy_.synced_.notify_all();
  }
  Syncing(const Syncing&) = delete;
  Syncing& operator=(const Syncing&) = delete;

 private:
  Copy& copy_;
};

awaitable<Result<void>> Copy::durable(Lsn lsn) {
  while (store_->durable() < lsn) {
    if (store_->failed()) co_return failed(Failure(Errc::io, "the store could not write to its disk"));
    if (syncing_) {
      co_await synced_.wait();
      continue;
    }
    Result<Lsn> done = Lsn(0);
    {
      Syncing claim(*this);
      storage::Account* store = store_.get();
      std::shared_ptr<LogLease> lease = lease_;
      auto work = [store, lease] {
        Result<Lsn> synced = store->sync();
        // A line that cannot be written costs nothing now: the next one may.
        if (synced && lease) (void)lease->note(*synced);
        return synced;
      };
      done = co_await wire::net::run_on_pool(pool_, work);
    }
    if (!done && store_->failed()) co_return failed(done.error());
    if (!done) co_return done.error();
  }
  publish_durable();
  co_return Result<void>();
}

awaitable<Result<void>> Copy::close() {
  closing_ = true;
  while (syncing_ || tending_) co_await synced_.wait();
  storage::Account* store = store_.get();
  std::shared_ptr<LogLease> lease = lease_;
  auto work = [store, lease] {
    Result<void> closed = store->close();
    if (closed && lease) (void)lease->close(store->durable());
    return closed;
  };
  co_return co_await wire::net::run_on_pool(pool_, work);
}

}  // namespace gateway::source
