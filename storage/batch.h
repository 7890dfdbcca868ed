// Changes that are applied together or not at all (MOVE, COPY of a set, RENAME of a tree, a synced page, a commit).
// Owner thread. Made by Account::begin(), consumed by Account::commit(); dropping it changes nothing.
#pragma once

#include <memory>

#include "storage/body.h"
#include "storage/types.h"

namespace storage {

class Batch {
 public:
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;
  ~Batch();

  // Each refuses what would break an invariant (I3) and then leaves the batch as it was.
  Result<MailboxKey> create_mailbox(
      const MailboxInfo& info);  // Errc::exists; UIDVALIDITY 0: assigned, above any the name had
  Result<void> change_mailbox(MailboxKey key, const MailboxChange& change);
  Result<void> remove_mailbox(MailboxKey key);
  // The source gave the mailbox a new UIDVALIDITY: all messages go, the name and key stay.
  Result<void> reset_mailbox(MailboxKey key, UidValidity validity, Uid uid_next, ModSeq highest_modseq,
                             ModSeqMode mode);
  void subscribe(std::string_view name, bool on);
  // A fact of the account that must travel with its directory; an empty value removes it. Short: at most 4,096 bytes.
  void annotate(std::string_view name, std::string_view value);

  // Adds the bytes, or finds that the account has them already. Cheap to call for a duplicate.
  Result<Sha256> add_body(PreparedBody body);
  Result<MessageIds> add_message(MailboxKey key, const NewMessage& message);
  // The content of a message that was listed earlier. The body must be in the account or in this batch. `size`: where
  // the source lied about RFC822.SIZE, what is served from now on.
  Result<void> attach_body(MailboxKey key, Uid uid, const Sha256& body, std::optional<uint64_t> size = {});
  // Messages that are already as asked are not touched, unless `modseq` is given (mirror mode: the source's number).
  // Returns the UIDs that changed. UIDs that are not there are ignored.
  Result<UidSet> change_flags(MailboxKey key, const UidSet& uids, const FlagChange& change,
                              std::optional<ModSeq> modseq = {});
  // Returns the UIDs that were there. `modseq`: in mirror mode the source's HIGHESTMODSEQ at detection.
  Result<UidSet> expunge(MailboxKey key, const UidSet& uids, std::optional<ModSeq> modseq = {});
  void set_cursor(MailboxKey key, const SyncCursor& cursor);

  bool empty() const;
  size_t bytes() const;  // about what commit() will write: split long imports at a few MiB

 private:
  friend class Account;
  friend class StoreRepair;
  class Impl;
  explicit Batch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace storage
