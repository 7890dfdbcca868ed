// An account's mailboxes in memory, and the one function that changes them: commit and replay both call apply().
// Owner thread. Copying is cheap (mailboxes are shared until they are touched); a batch works on a copy.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

#include "storage/account.h"
#include "storage/mailbox_state.h"

namespace storage {

// Where a mailbox lies in index.snap.
struct SectionRef {
  uint64_t offset = 0;
  uint64_t length = 0;
  uint32_t crc = 0;
};

class AccountState {
 public:
  struct Slot {
    MailboxInfo info;                             // if not loaded
    std::optional<SyncCursor> cursor;             // if not loaded
    SectionRef section;                           // if not loaded
    std::shared_ptr<const MailboxState> mailbox;  // null: not loaded
    uint64_t token = 0;                           // of the batch that may write it in place
    const MailboxInfo& current() const { return mailbox ? mailbox->info() : info; }
  };
  // Loads a mailbox that is still in index.snap; null: it cannot be read.
  using Loader = std::function<std::shared_ptr<const MailboxState>(MailboxKey, const Slot&)>;

  AccountState() = default;
  // A layer for a batch over `base`, which must stay as it is until merge() or the layer's end.
  explicit AccountState(const AccountState* base)
      : base_(base),
        next_key_(base->next_key_),
        epoch_(base->epoch_),
        highest_of_all_(base->highest_of_all_),
        tombstone_ranges_(base->tombstone_ranges_) {}
  void set_tombstone_ranges(size_t ranges) { tombstone_ranges_ = std::max<size_t>(ranges, 16); }
  void set_loader(Loader loader) { loader_ = std::move(loader); }

  // Returns what did not fit (a damaged log), or nothing.
  std::optional<std::string> apply(uint64_t token, record::Op op);
  // What a layer touched.
  struct Touched {
    std::vector<MailboxKey> mailboxes;  // that there are
    std::vector<MailboxKey> removed;
    std::map<std::string, bool> subscriptions;  // name -> whether it is subscribed now
    bool empty() const { return mailboxes.empty() && removed.empty() && subscriptions.empty(); }
  };
  // Takes over what a layer over this state changed.
  Touched merge(AccountState layer);

  const MailboxInfo* info(MailboxKey key) const;
  const MailboxInfo* find(std::string_view name) const;
  std::shared_ptr<const MailboxState> mailbox(MailboxKey key) const;  // loads; null: none, or it cannot be read
  std::optional<SyncCursor> cursor(MailboxKey key) const;
  bool subscribed(std::string_view name) const;
  const std::set<std::string>& subscriptions() const { return subscriptions_; }  // of a state that is not a layer
  const std::map<std::string, std::string>& annotations() const;                 // of the account
  UidValidity highest_validity(std::string_view name) const;
  // One for a mailbox made now: above any that its name ever had and, while the 32 bits have room for that, above any
  // that any name had. So no rename brings a name and a UIDVALIDITY together that were together before.
  std::optional<UidValidity> fresh_validity(std::string_view name, int64_t now) const;  // nothing: none is left
  MailboxKey next_key() const { return next_key_; }
  Epoch epoch() const { return epoch_; }
  MailboxTree tree() const;
  // The tree as it is now, where `touched` is all that differs from `before`.
  MailboxTree tree_after(const MailboxTree& before, const Touched& touched) const;

  // Of a state that is not a layer; for index.snap.
  const std::map<MailboxKey, Slot>& slots() const { return slots_; }
  const std::map<std::string, UidValidity>& validities() const { return validities_; }
  void restore(MailboxKey key, Slot slot);
  void restore(std::set<std::string> subscriptions, std::map<std::string, std::string> annotations,
               std::map<std::string, UidValidity> validities, MailboxKey next, Epoch epoch);
  void moved(MailboxKey key, SectionRef section) {
    if (auto it = slots_.find(key); it != slots_.end()) it->second.section = section;
  }
  // Back to what index.snap says, if that is `written` (null: it was only read since): the next look reads it again.
  bool unload(MailboxKey key, const std::shared_ptr<const MailboxState>& written);
  void replace(MailboxKey key, const MailboxState::Replacements& chunks);
  void raise_epoch(Epoch e) { epoch_ = std::max(epoch_, e); }

  static bool same_name(std::string_view a, std::string_view b);  // INBOX in any case is one name
  static std::string normal(std::string_view name);

 private:
  Slot* slot(MailboxKey key) const;
  void rename(MailboxKey key, const std::string* before, const std::string* after);
  MailboxState* writable(uint64_t token, MailboxKey key);
  void note_validity(const std::string& name, UidValidity v);

  const AccountState* base_ = nullptr;
  mutable std::map<MailboxKey, Slot> slots_;             // keys ascend in order of creation; loading fills them in
  std::unordered_map<std::string, MailboxKey> by_name_;  // of slots_
  std::set<MailboxKey> removed_;                         // of a layer
  std::set<std::string> subscriptions_;                  // empty in a layer
  std::map<std::string, bool> subscribed_;               // of a layer: those that it changes
  std::optional<std::map<std::string, std::string>> annotations_;
  std::map<std::string, UidValidity> validities_;  // the highest that each name ever had
  MailboxKey next_key_{1};
  Epoch epoch_;
  UidValidity highest_of_all_;  // in validities_, base included
  size_t tombstone_ranges_ = 16384;
  Loader loader_;
};

}  // namespace storage
