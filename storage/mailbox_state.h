// One mailbox as the owner changes it: what MailboxSnapshot is made of. Owner thread. Copying it is cheap: a copy
// shares all chunks, and each mutator copies what it touches unless it already carries the caller's token (chunk.h).
//
// The mutators take what was checked (by Batch) or once accepted (replay), so they cannot fail; what no longer fits,
// which only a damaged log can hold, is ignored and reported by their result.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "storage/chunk.h"
#include "storage/mailbox.h"
#include "storage/record.h"

namespace storage {

// Every keyword that the mailbox ever had.
struct KeywordTable {
  uint64_t token = 0;
  std::vector<std::string> names;                     // as first spelled
  std::unordered_map<std::string, uint32_t> numbers;  // by lower-case name

  std::optional<uint32_t> find(std::string_view name) const;
  uint32_t add(std::string_view name);  // its number, new or not
};
constexpr size_t max_keywords = 65536;
constexpr size_t max_keyword_length = 1024;

// What was expunged. `floor`: entries with a MODSEQ up to it may be missing.
struct Tombstones {
  struct Entry {
    uint64_t modseq;
    uint32_t first, last;
  };
  uint64_t token = 0;
  ModSeq floor;
  bool listed = true;  // false: a mirror that was never listed to the end: what went before is unknown
  // An expunge that a mirror found by comparing is filed under a number that clients may hold already: up to this one,
  // "since" includes itself. The highest while the mailbox is a mirror, where it ended once it is our own.
  ModSeq inclusive_until;
  std::vector<Entry> entries;  // oldest first
  UidSet expunged;             // all of them, for ever: no UID comes back (I3)
};

class MailboxState {
 public:
  explicit MailboxState(MailboxInfo info);

  const MailboxInfo& info() const { return info_; }
  const std::optional<SyncCursor>& cursor() const { return cursor_; }
  uint32_t size() const { return size_; }
  MailboxSnapshotPtr snapshot() const;
  // The same with other chunks in the place of some: of the same messages, which lie elsewhere.
  using Replacements = std::unordered_map<const MessageChunk*, std::shared_ptr<MessageChunk>>;
  std::shared_ptr<MailboxState> with(const Replacements& chunks) const;

  struct Place {
    size_t chunk;
    uint32_t at;
  };
  std::optional<Place> find(Uid uid) const;
  const MessageInfo& info_at(const Place& p) const { return chunks_[p.chunk]->info(p.at); }
  bool was_expunged(Uid uid) const { return tombstones_->expunged.contains(uid); }
  ModSeq highest_of_messages() const;
  const KeywordTable& keywords() const { return *keywords_; }

  // Which messages a flag change would touch, as ranges over the messages there are (`runs`), and one by one (`uids`).
  struct Touched {
    UidSet runs, uids;
  };
  Touched would_change(const UidSet& uids, const FlagChange& change, bool always) const;
  UidSet present(const UidSet& uids) const;
  UidSet uids() const;
  void collect_bodies(std::vector<Sha256>& out) const;  // of all messages, as often as they are used
  const Tombstones& tombstones() const { return *tombstones_; }

  // --- mutators; false: it did not fit
  bool add(uint64_t token, record::Message message);
  void link(uint64_t token, const record::BodyLink& link);
  bool change_flags(uint64_t token, const record::FlagUpdate& update);
  bool expunge(uint64_t token, const record::Expunge& expunge);
  // A quarter above `ranges` the oldest tombstones go down to that many, and the floor rises over them: VANISHED is a
  // superset from there back.
  void forget_tombstones(uint64_t token, size_t ranges);
  bool change(uint64_t token, const MailboxChange& change);
  void reset(uint64_t token, const MailboxInfo& to);
  void set_cursor(uint64_t token, const SyncCursor& cursor);

 private:
  friend class MailboxSection;  // index.snap

  struct Bits {
    uint64_t mask = 0;
    std::vector<uint32_t> overflow;  // ascending
    bool unknown = false;            // a keyword that is not in the table
  };
  Bits bits(const Flags& flags) const;
  Bits bits_adding(uint64_t token, const Flags& flags);
  MessageChunk& writable(uint64_t token, size_t chunk);
  Tombstones& writable_tombstones(uint64_t token);
  void split(uint64_t token, size_t chunk);
  void raise(ModSeq m);  // own mode: HIGHESTMODSEQ follows every change
  template <class F>
  void for_each(const UidSet& uids, F&& f) const;  // f(chunk, from, to) for messages that are there, ascending

  MailboxInfo info_;
  uint32_t size_ = 0;
  std::vector<std::shared_ptr<MessageChunk>> chunks_;  // none empty
  std::shared_ptr<KeywordTable> keywords_;
  std::shared_ptr<Tombstones> tombstones_;
  std::optional<SyncCursor> cursor_;
};

}  // namespace storage
