// Turns what the source said of a mailbox's messages into batches of the copy. Keeps at most a few MiB in memory; a
// batch is applied whenever that much has come, so an interrupted import goes on where it was.
//
// On the account's core, synchronous; the caller awaits durability. Never throws for one message's sake: what is wrong
// with a message is noted and the rest goes on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/source/apply_queue.h"
#include "gateway/source/copy.h"

namespace gateway::source {

// One message as the source described it; what it did not say is absent.
struct Listed {
  Uid uid;
  std::optional<Flags> flags;
  std::optional<ModSeq> modseq;
  std::optional<InternalDate> date;
  std::optional<uint64_t> size;
  std::optional<InternalDate> save_date;
  std::string email_id, thread_id;
  std::optional<storage::PreparedBody> body;
};

struct ImportCounts {
  uint64_t added = 0, changed = 0, expunged = 0;
  uint64_t bodies = 0, bytes = 0;
};

class Importer {
 public:
  // All outlive it. `mirror`: the source's MODSEQs are served. `allowed` false: nothing is applied any more (the source
  // is not the authority now, I6): Errc::conflict.
  Importer(Copy& copy, const ApplyQueue::Observation& asked, wire::base::MailboxKey key, bool mirror,
           const bool& allowed);

  Result<void> add(Listed message);
  // What was added becomes part of the copy (applied, not yet durable).
  Result<void> flush();
  // Messages that the source no longer has. Those touched by an own write meanwhile stay.
  Result<void> expunge(const UidSet& uids, std::optional<ModSeq> modseq);
  // The last batch: the mailbox's numbers and the cursor, with everything that makes them true before.
  Result<void> finish(const storage::SyncCursor& cursor);

  const UidSet& seen() const { return seen_; }                  // every UID that add() got
  const UidSet& need_listing() const { return need_listing_; }  // new, but date or size were not said
  const UidSet& ask_again() const { return ask_again_; }        // an own write was under way
  // Messages that the copy cannot take as the source shows them now, such as a UID that was expunged and is back.
  const std::vector<ContentOutcome::Failed>& refused() const { return refused_; }
  const ImportCounts& counts() const { return counts_; }

 private:
  Result<void> put(storage::Batch& batch, const storage::MailboxSnapshot& now, Listed& m);

  Copy& copy_;
  const ApplyQueue::Observation& asked_;
  wire::base::MailboxKey key_;
  bool mirror_;
  const bool& allowed_;
  Result<void> apply(storage::Batch batch);
  std::vector<Listed> pending_;
  uint64_t pending_bytes_ = 0;
  UidSet seen_, need_listing_, ask_again_;
  std::vector<ContentOutcome::Failed> refused_;
  ImportCounts counts_;
};

}  // namespace gateway::source
