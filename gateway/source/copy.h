// The user's copy: a store, its group sync, and the snapshots that may be shown. Nothing is published before it is
// durable (design 4): commit() returns, and watchers hear of it, once the log has it.
//
// On the account's core; the blocking sync runs on the pool, at most one an account, and everybody who waits shares it.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>

#include "gateway/source/log_lease.h"
#include "gateway/source/mailbox.h"
#include "storage/account.h"
#include "storage/space.h"
#include "wire/net/asio.h"
#include "wire/net/wheel.h"

namespace gateway::source {

// The account's annotation that holds the prefix of its personal namespace.
inline const std::string prefix_annotation = "namespace-prefix";
// Those that hold the namespaces of other users and of all, as the source told them: separator, then prefix, a line
// each.
inline const std::string others_annotation = "namespace-others", shared_annotation = "namespace-shared";

enum class RewriteOutcome {
  nothing,
  gained,  // maybe there is more
  later,   // a pin, a message that took up what was to go, or somebody else at work
};

class Copy {
 public:
  Copy(asio::any_io_executor core, asio::thread_pool& pool, std::unique_ptr<storage::Account> store);

  // Told of what became durable, on the pool.
  void set_lease(std::shared_ptr<LogLease> lease) { lease_ = std::move(lease); }

  storage::Account& store() { return *store_; }
  const storage::Account& store() const { return *store_; }
  asio::thread_pool& pool() { return pool_; }

  // Durable and shown to all.
  const storage::MailboxTreePtr& tree() const { return tree_; }

  // The shared handle of a mailbox; null when it is not there. Waits until what it would show is durable.
  awaitable<Result<MailboxPtr>> open(wire::base::MailboxKey key);

  // Applied at once, durable and published when it returns.
  awaitable<Result<void>> commit(storage::Batch batch);
  // Applied; durable and published after a later durable(). For long imports.
  Result<storage::Lsn> apply(storage::Batch batch);
  awaitable<Result<void>> durable(storage::Lsn lsn);

  // --- maintenance (maintenance.cpp); each ends early when the copy is closed, and does nothing beside another
  // One pass that gives space back, at most `share` per cent of the time, then checkpoint() and tidy().
  awaitable<Result<RewriteOutcome>> rewrite(uint32_t share, storage::RetireOptions retire = {});
  // What earlier passes have replaced moves on and goes, when its time has come.
  awaitable<Result<void>> tidy(storage::RetireOptions options);
  bool leftover(int64_t now);  // whether it has; seconds since 1970
  std::optional<int64_t> leftover_due() { return storage::Space(*store_).retire_due(); }
  // index.snap anew, so that a crash costs no long opening; at most a hundredth of the time.
  awaitable<Result<void>> checkpoint();
  bool checkpoint_owed() const { return checkpoint_owed_; }  // the last one was too soon
  // Forbids rewriting and removing while somebody copies the directory, until it is taken back. Durable.
  awaitable<Result<void>> pin(std::string name, std::string reason);
  awaitable<Result<void>> unpin(std::string name);

  awaitable<Result<void>> close();

  // Called once, when the store has failed (an fsync, or a write that could not be taken back): nothing more is
  // accepted until the account is opened again from what is durable.
  void on_failed(std::function<void(const std::string& why)> tell) { on_failed_ = std::move(tell); }

 private:
  struct Pending {
    storage::Lsn lsn;
    storage::MailboxTreePtr tree;
    std::vector<std::pair<MailboxPtr, MailboxSnapshotPtr>> snapshots;  // null snapshot: the mailbox is gone
  };
  void note_applied(storage::Lsn lsn);
  void publish_durable();
  storage::Failure failed(const storage::Failure& why);

  asio::thread_pool& pool_;
  std::unique_ptr<storage::Account> store_;
  wire::net::Event synced_;
  class Syncing;
  class Tending;
  class Pass;
  awaitable<Result<RewriteOutcome>> pass(uint32_t share);
  awaitable<Result<void>> write_checkpoint();
  awaitable<Result<void>> retire_replaced(storage::RetireOptions options);
  bool syncing_ = false, tending_ = false, closing_ = false;
  bool checkpoint_owed_ = false;
  std::chrono::steady_clock::time_point checkpoint_after_{};
  storage::MailboxTreePtr tree_;
  std::unordered_map<wire::base::MailboxKey, std::weak_ptr<Mailbox>> open_;
  std::deque<Pending> pending_;
  std::function<void(const std::string&)> on_failed_;
  std::shared_ptr<LogLease> lease_;
};

}  // namespace gateway::source
