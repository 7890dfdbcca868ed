// A mailbox that somebody has open: the snapshot that may be shown, and who wants to know of the next one.
// On the account's core only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/body.h"
#include "storage/mailbox.h"
#include "storage/types.h"

namespace gateway::source {

using storage::FlagChange;
using storage::Flags;
using storage::InternalDate;
using storage::MailboxSnapshotPtr;
using storage::ModSeq;
using storage::Result;
using storage::Uid;
using storage::UidSet;
using storage::UidValidity;

class MailboxWatcher {
 public:
  virtual ~MailboxWatcher() = default;
  // A new snapshot is published, or the mailbox is gone (deleted, UIDVALIDITY changed: then the session must be told
  // BYE or be unselected). Must not await, must not destroy watchers: post.
  virtual void on_changed() = 0;
};

class Mailbox {
 public:
  explicit Mailbox(MailboxSnapshotPtr first) : current_(std::move(first)) {}

  storage::MailboxInfo info() const { return current_->info(); }
  wire::base::MailboxKey key() const { return current_->info().key; }
  // Durable: may be shown. Never null, also after gone().
  const MailboxSnapshotPtr& current() const { return current_; }
  bool gone() const { return gone_; }

  void publish(MailboxSnapshotPtr next);
  void set_gone();
  void add_watcher(MailboxWatcher* w) { watchers_.push_back(w); }
  void remove_watcher(MailboxWatcher* w);
  bool watched() const { return !watchers_.empty(); }

 private:
  MailboxSnapshotPtr current_;
  bool gone_ = false;
  std::vector<MailboxWatcher*> watchers_;
};

using MailboxPtr = std::shared_ptr<Mailbox>;

struct MailboxStatus {
  uint32_t messages = 0, recent = 0, unseen = 0, deleted = 0;
  Uid uid_next;
  UidValidity uid_validity;
  ModSeq highest_modseq;
  uint64_t size = 0;
  std::string mailbox_id;
};

struct StoreOutcome {
  UidSet stored;    // exist and passed UNCHANGEDSINCE; their flags are in the mailbox's current() snapshot
  UidSet modified;  // failed UNCHANGEDSINCE (RFC 7162 3.1.3)
};

struct CopyOutcome {
  UidValidity uid_validity;   // of the destination; 0: the owner did not say
  std::vector<Uid> from, to;  // pairwise, ascending in `from`
};

struct AppendItem {
  Flags flags;
  std::optional<InternalDate> date;  // absent: now
  storage::PreparedBody body;
};

struct AppendOutcome {
  UidValidity uid_validity;  // 0: the owner did not say
  Uid uid;
};

// A message's bytes as the source sent them once more.
struct WantedBody {
  Uid uid;
  storage::PreparedBody body;
};

struct ContentOutcome {
  struct Failed {
    Uid uid;
    storage::Failure why;
  };
  std::vector<Failed> failed;
  uint64_t fetched = 0, bytes = 0;  // that came from upstream
};

// What the owner could give of messages' headers alone; of the others the whole content is to be asked for.
struct HeaderOutcome {
  std::unordered_map<Uid, std::shared_ptr<const std::string>> headers;
};

}  // namespace gateway::source
