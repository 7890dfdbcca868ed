// What an index.snap that is being written will say. Private to storage: made by the account's owner, then constant
// but for the places of its sections.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "storage/snapshot_file.h"

namespace storage {

struct SnapshotDraft {
  Lsn lsn;
  SnapshotHeader header;
  SnapshotDirectory directory;
  std::vector<BodyPlace> condemned;  // by a pass that is under way
  bool closing = false;              // the account ends with it: nothing has to become smaller in memory
  // Written: what is in memory only as a place in the old file, and where it is now.
  std::vector<ColdPiece> moved;
  // What is in memory as a whole, made anew with only a place in the new file.
  std::map<MailboxKey, MailboxState::Replacements> packed;
  std::shared_ptr<const ColdFile> file;
};

// A mailbox whose section in the old file cannot be read; null: then there is no new file either.
using DraftLoader = std::function<std::shared_ptr<const MailboxState>(MailboxKey)>;

}  // namespace storage
