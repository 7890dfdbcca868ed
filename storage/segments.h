// Which files make up a log: those in force, those that a rewritten segment stands for, and what lies in retired/
// (docs/storage-format.md, "Segment" and "Rewriting"). Decided by names alone. Any thread; no state.
#pragma once

#include <memory>
#include <vector>

#include "storage/env.h"
#include "storage/frame.h"

namespace storage {

// A segment that a rewritten one has replaced, in retired/: "<first>-<last>-<generation>-<seconds>.log", 16, 16, 4 and
// 16 hex digits. It says the whole range, which the name of an open segment does not.
struct RetiredName {
  Lsn first, last;
  uint32_t generation = 0;
  int64_t since = 0;  // seconds since 1970
  bool operator==(const RetiredName&) const = default;

  std::string text() const;
  static std::optional<RetiredName> parse(std::string_view text);
  SegmentName in_log() const { return {first, generation == 0 ? Lsn(0) : last, generation}; }
};

struct LogListing {
  std::vector<SegmentName> in_force;    // in order
  std::vector<RetiredName> taken_back;  // of those: they are in retired/ only, since a copy lacks what replaced them
  std::vector<SegmentName> superseded;  // in log/, older than what is in force for their LSNs
  std::vector<RetiredName> retired;     // in retired/, not needed
  std::vector<std::string> unfinished;  // rewritten segments that were never finished: "….log.tmp"
};

inline std::filesystem::path retired_directory(const std::filesystem::path& log) {
  return log.parent_path() / "retired";
}
constexpr std::string_view unfinished_suffix = ".tmp";

// Errc::not_found: there is no log.
Result<LogListing> list_log(Env& env, const std::filesystem::path& log);
// The segments in force, in order.
Result<std::vector<SegmentName>> list_segments(Env& env, const std::filesystem::path& log);

// For reading: where it is in the log, or else in retired/.
Result<std::unique_ptr<File>> open_segment(Env& env, const std::filesystem::path& log, const SegmentName& name);

}  // namespace storage
