// index.snap, made anew while the account goes on. After a rewrite the old one is of no use, since it names segments
// that are not in force any more: without a new one a crash would cost reading the whole log. In steps, because what
// blocks for long must not hold the account's owner:
//
//   Checkpoint::begin(account)  owner   what it will say; null: index.snap says all there is, or nothing may be written
//   write()                     any     blocks: syncs the log, writes index.snap.tmp, syncs it
//   name()                      owner   one rename: from here on sections are read from the new file
//   settle()                    any     blocks: syncs the directory
//   end()                       owner   the log says that there is one
//
// It may be destroyed (by the owner) instead of the next step: what is on disk is then the state before or after. One
// at a time, and not over the account's close(). Errors: io, no_space; unavailable (a section of the old one cannot be
// read: closing the account makes it from the log).
#pragma once

#include <memory>

#include "storage/account.h"

namespace storage {

struct SnapshotDraft;

class Checkpoint {
 public:
  static Result<std::unique_ptr<Checkpoint>> begin(Account& account);
  ~Checkpoint();
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  Result<void> write();
  Result<void> name();
  Result<void> settle();
  Result<void> end();

 private:
  Checkpoint(Account& account, std::unique_ptr<SnapshotDraft> draft);
  Account& account_;
  std::unique_ptr<SnapshotDraft> draft_;
};

}  // namespace storage
