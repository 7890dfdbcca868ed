// One user's store: a directory with a log (design 4, docs/storage-format.md). The log is the store.
//
// Threads: everything belongs to the account's owner thread (its core), but sync(), open_body() and the functions of
// immutable values, which any thread may call at the same time. Synchronous; knows neither Asio nor IMAP.
//
// Durability: commit() writes a batch and applies it to the state in memory, but what it changed may not leave the
// process before durable() has reached the LSN that commit() returned (design 4: nothing visible before durable).
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/batch.h"
#include "storage/body.h"
#include "storage/env.h"
#include "storage/mailbox.h"
#include "storage/mailbox_tree.h"
#include "storage/types.h"

namespace storage {

// "<seconds since 1970> <last LSN that was there> <LSN after which numbers went on>".
inline const std::string restored_annotation = "restored";

struct OpenOptions {
  bool create = false;
  bool read_only = false;  // doctor, verify: nothing is written, a torn tail is reported and not cut
  Epoch epoch;             // placement epoch stamped on frames; opening with one below the log's is Errc::conflict
  uint64_t segment_bytes = 64u << 20;  // a new segment is begun above this
  // How far back VANISHED (EARLIER) is exact: ranges of expunged UIDs kept for a mailbox, 16 bytes each (up to a
  // quarter more). At least 16.
  size_t tombstone_ranges = 16384;
  // 1: stays readable by builds that know nothing else; an account with a segment of 2 goes on with that.
  uint32_t format = 2;
};

// What opening had to do. Corruption never stops the rest of the account (design 4).
struct OpenReport {
  uint64_t frames = 0, bytes = 0;
  bool used_snapshot = false;
  uint64_t torn_bytes = 0;  // cut from the tail
  struct Damage {
    std::string what, where;
    Lsn lsn;
  };
  std::vector<Damage> damage;  // skipped frames, holes in the LSNs
};

class Account {
 public:
  static Result<std::unique_ptr<Account>> open(Env& env, const std::filesystem::path& directory, OpenOptions options);
  ~Account();  // does no I/O; close() does

  const OpenReport& open_report() const;

  // --- the state as applied (maybe not yet durable)
  MailboxTreePtr tree() const;
  MailboxSnapshotPtr snapshot(MailboxKey key) const;  // null: no such mailbox
  std::optional<SyncCursor> cursor(MailboxKey key) const;
  std::optional<std::string> annotation(const std::string& name) const;
  bool has_body(const Sha256& name) const;
  // The UIDVALIDITY that a mailbox created now under `name` must exceed (0: never seen), so that none is ever reused.
  UidValidity highest_uid_validity(std::string_view name) const;
  Epoch epoch() const;
  // Of this account for ever, the same in all its files.
  const std::array<uint8_t, 16>& id() const;
  const std::filesystem::path& directory() const;

  // --- change
  Batch begin();                      // over the current state; one at a time
  Result<Lsn> commit(Batch batch);    // whole or not at all; Errc::conflict, no_space, io
  Result<void> raise_epoch(Epoch e);  // only upwards
  // A body on its way in: compressed and hashed while it arrives, spooled beside the log above 1 MiB.
  BodyWriter new_body();

  // An older copy of the directory was put back: what was given out since is not known. LSNs go on above `above`,
  // HIGHESTMODSEQ goes up by 2^32 and, with `uids`, UIDNEXT by 2^20, in every mailbox whose numbers are ours (with
  // `uids` the mirrors become so). Blocks; durable when it returns, as one batch. The annotation "restored" says when,
  // and between which LSNs what was written is gone.
  Result<void> jump(Lsn above, bool uids);

  // --- durability
  Lsn appended() const;
  Lsn durable() const;  // any thread
  Result<Lsn> sync();   // any thread, blocks: everything appended when it was called is durable when it returns
  bool failed() const;  // an fsync failed: nothing more is accepted until the account is opened again

  // --- bodies; any thread
  Result<BodyReader> open_body(const Sha256& name) const;
  // Where a body lies that could not be read since the account was opened; has_body() says no until it is added again.
  std::optional<std::string> damaged_body(const Sha256& name) const;
  size_t index_bytes() const;  // memory that knowing where bodies lie takes now
  void rest();                 // lets go of that of it which nobody has asked for since the last call

  // Whether letters may need a dictionary that the log has lost: opening such a one fails, and has_body() says no from
  // then on. Any thread; reads the dictionaries that nobody has asked for.
  bool dictionary_lost() const;

  // --- a dictionary for small messages (docs/storage-format.md)
  bool wants_dictionary() const;  // any thread: train_dictionary() would have something to do
  // Any thread, up to half a second of CPU; what it makes is written by the next commit or checkpoint. Fails only where
  // the store cannot be read, and then changes nothing.
  Result<void> train_dictionary();

  // How many frames opening would have to read if the process ended now.
  uint64_t tail() const;
  // Writes index.snap, so that the next open is quick; checkpoint.h does so while others go on. Derived: never needed
  // for correctness.
  Result<void> checkpoint();
  Result<void> close();  // sync and checkpoint

 private:
  friend class Batch;
  friend class Checkpoint;
  friend class StoreRepair;
  friend class Rewrite;
  friend class Space;
  class Impl;
  explicit Account(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace storage
