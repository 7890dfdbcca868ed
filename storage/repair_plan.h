// What a log holds, frame by frame, for repair: which can stay and which bytes cannot. Private to storage; one thread.
#pragma once

#include <map>
#include <vector>

#include "storage/check.h"
#include "storage/letter.h"
#include "storage/log_scan.h"
#include "storage/log_writer.h"
#include "storage/replay.h"

namespace storage {

struct PlannedFrame {
  uint64_t offset = 0;  // in its segment
  FrameHeader header;   // `last_of_batch` as it has to be where neighbours go
  bool keep = true;     // false: it can be read and has no effect, since what it was about is lost
  std::shared_ptr<const LoneRecord> instead;  // of a letter whose body cannot be read
};

struct SegmentPlan {
  SegmentName name;
  uint64_t salt = 0;
  uint64_t size = 0;  // up to where a torn tail begins
  bool header_good = false;
  Lsn needs;  // of its header
  std::vector<PlannedFrame> frames;
  uint64_t dropped = 0;                            // of them
  uint64_t cut_short = 0;                          // letters without their bodies
  std::vector<std::pair<uint64_t, uint64_t>> bad;  // byte ranges that are no frame
  bool mend() const { return !header_good || dropped > 0 || cut_short > 0 || !bad.empty(); }
};

struct RepairPlan {
  std::vector<SegmentPlan> segments;         // in force, in order, without what is torn
  std::vector<std::pair<Lsn, Lsn>> missing;  // LSNs between segments that no file has
  std::vector<std::pair<Lsn, Lsn>> lost;     // LSNs whose frames are unreadable or missing
  std::optional<LogPosition> torn;           // where it begins
  uint64_t torn_bytes = 0;
  Lsn end;  // the last LSN that is there, or was
  AccountId account{};
  AccountState state;  // by what is kept alone
  BodyIndex bodies;
};

// Reads everything. Errors as LogScan::run.
Result<void> plan_repair(Env& env, SegmentFiles& files, const CheckProgress& progress, RepairPlan& plan);

}  // namespace storage
