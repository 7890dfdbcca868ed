// `doctor --repair` on one store that nobody has open (docs/storage-format.md, "Repair"). Never renumbers, never drops
// a frame that can be read and has an effect, never brings expunged mail back that index.snap knows to be gone. What it
// takes out of the log lies byte for byte under quarantine/<time>/ beside it, with a report.
//
// May be killed at any I/O and run again. One thread; blocks.
#pragma once

#include <string>
#include <vector>

#include "storage/check.h"
#include "storage/env.h"
#include "storage/types.h"

namespace storage {

struct RepairOptions {
  Epoch epoch;                   // placement epoch, as for opening
  bool numbers_are_ours = true;  // false: an upstream gives the UIDs; then only MODSEQs of ours jump
  std::filesystem::path from;    // an older copy of the store, whose bodies are taken; empty: none
  CheckProgress progress;
};

struct RepairReport {
  std::vector<std::string> done;     // plain words, one a deed; empty: there was nothing to do
  std::filesystem::path quarantine;  // empty: nothing was taken out
  uint64_t lost_frames = 0;          // whose content nobody knows any more
  bool jumped = false;               // so UIDNEXT and HIGHESTMODSEQ went up
  uint64_t bodies_restored = 0;      // from `from`
};

// Errc::not_found: no store there. Errc::unsupported: of a later version, left untouched. Errc::io, no_space: try
// again.
Result<RepairReport> repair_store(Env& env, const std::filesystem::path& directory, const RepairOptions& options);

}  // namespace storage
