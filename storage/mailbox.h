// One mailbox's messages as an immutable value: what a session sees. Any thread may read it; a change makes a new one
// that shares all untouched chunks (design 5).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "storage/types.h"

namespace storage {

struct MessageChunk;  // storage/chunk.h: at most 1,024 messages, packed, hot part <= 24 bytes a message

// What every command touches of messages that lie next to each other, as it is packed. Valid while the snapshot lives.
struct MessageColumns {
  std::span<const uint32_t> uids;
  std::span<const uint64_t> modseqs, flags;  // flags: as flag_bits()
  uint32_t size() const { return static_cast<uint32_t>(uids.size()); }
};

// Adds ascending UIDs that are above all in the set, a run at a time.
void add_uids(UidSet& set, std::span<const uint32_t> uids);

// Messages are numbered from 0 in UID order: index + 1 is the IMAP sequence number.
class MailboxSnapshot {
 public:
  const MailboxInfo& info() const { return info_; }
  uint32_t size() const { return size_; }

  Uid uid(uint32_t index) const;
  ModSeq modseq(uint32_t index) const;
  uint8_t system_flags(uint32_t index) const;
  uint64_t flag_bits(uint32_t index) const;  // bits 0..4 system flags, bit 8+k: keywords()[k]; bit 63: see flags()
  Flags flags(uint32_t index) const;
  const MessageInfo& message(uint32_t index) const;
  // The name of its bytes alone: a pass over a big mailbox then unpacks nothing that stays.
  std::optional<Sha256> body(uint32_t index) const;

  // The messages from `begin` on, at least one, at most to `end`: commands on many messages go by these pieces.
  MessageColumns columns(uint32_t begin, uint32_t end) const;

  // Worked out once for each piece of messages that does not change.
  uint32_t unseen() const;
  uint32_t deleted() const;
  std::optional<uint32_t> first_unseen() const;

  // Whether this is the same mailbox in the same state, however its messages lie in memory.
  bool same_as(const MailboxSnapshot& other) const;

  // Index of the first message with a UID >= `uid`; size() if none.
  uint32_t lower_bound(Uid uid) const;
  std::optional<uint32_t> find(Uid uid) const;

  // Every keyword that the mailbox ever had, as first spelled.
  const std::vector<std::string>& keywords() const;

  // UIDs expunged with a MODSEQ > `since` (RFC 7162 VANISHED (EARLIER)); in mirror mode >= `since` (design 1). Exact
  // while the tombstones reach back that far, else the safe superset: every UID below uid_next that is not here.
  UidSet vanished_since(ModSeq since) const;
  // UIDs of messages with a MODSEQ > `since`.
  UidSet changed_since(ModSeq since) const;
  UidSet uids() const;

 private:
  friend class MailboxState;
  friend struct SnapshotDiff;
  MailboxInfo info_;
  uint32_t size_ = 0;
  std::vector<std::shared_ptr<const MessageChunk>> chunks_;
  std::vector<uint32_t> first_index_;  // of each chunk
  std::shared_ptr<const std::vector<std::string>> keywords_;
  std::shared_ptr<const struct Tombstones> tombstones_;
};

using MailboxSnapshotPtr = std::shared_ptr<const MailboxSnapshot>;

// What a client that knows `from` must be told to know `to` (both of one mailbox and UIDVALIDITY). Costs only the
// chunks that differ.
struct SnapshotDiff {
  std::vector<uint32_t> expunged;  // indexes in `from`, ascending
  std::vector<uint32_t> changed;   // indexes in `to` of messages in both whose flags or MODSEQ differ, ascending
  uint32_t added = 0;              // messages at the end of `to` that `from` has not
  // Indexes in `to` of messages that `from` has not, below its last: a copy that had missed them. No client can be
  // told: the session must forget the mailbox (NO, then SELECT again).
  std::vector<uint32_t> inserted;
  bool empty() const { return expunged.empty() && changed.empty() && added == 0 && inserted.empty(); }

  static SnapshotDiff between(const MailboxSnapshot& from, const MailboxSnapshot& to);
};

}  // namespace storage
