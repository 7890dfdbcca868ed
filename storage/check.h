// `doctor` on one store: reads every frame and every body, and tells what is wrong. Writes nothing. Any thread; a store
// that is open elsewhere may be checked if `until` is its durable(): what lies behind is still being written.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "storage/env.h"
#include "storage/pins.h"
#include "storage/types.h"

namespace storage {

struct CheckProblem {
  std::string what, where, repair;
};

struct CheckReport {
  uint64_t frames = 0;
  uint64_t live_bytes = 0;     // of frames that the present state needs
  uint64_t dead_bytes = 0;     // of bodies that no message has and of messages that are gone: what a rewrite would free
  uint64_t shared_bytes = 0;   // saved by bodies that more than one message has
  uint64_t retired_bytes = 0;  // of files that were replaced and wait to be removed
  std::vector<Pin> pins;
  uint64_t mailboxes = 0, messages = 0, bodies = 0;
  Lsn end;                     // the last one
  std::string restored;        // restored_annotation, if an older copy was ever put back
  uint64_t orphan_bodies = 0;  // no message has them: not a problem
  std::vector<CheckProblem> problems;
  // Where a crash, or a copy that was made while somebody wrote, cut the log off: nobody was told of what is behind,
  // and opening takes it away.
  std::vector<CheckProblem> notes;
  bool clean() const { return problems.empty(); }
};

// Bytes of the log read so far and in all; false stops the check (Errc::unavailable).
using CheckProgress = std::function<bool(uint64_t done, uint64_t total)>;

// Whether every part of an index.snap can be read; also where there is none.
Result<bool> snapshot_is_good(Env& env, const std::filesystem::path& path, std::string* wrong = nullptr);

// Errc::not_found: no store there. Errc::io: it cannot be read. Errc::unsupported: it was written by a later version.
Result<CheckReport> check_store(Env& env, const std::filesystem::path& directory, const CheckProgress& progress = {},
                                Lsn until = Lsn(UINT64_MAX));

}  // namespace storage
