// What the control database knows of how far an account's log has come, so that an older copy of its directory that was
// put back is recognised (design 4) and no UID is shown for two messages.
//
// A line there says: LSNs up to `used` were durable, those up to `limit` may have been given out, and the newest
// segment was this file. It costs one write at the first change after opening, one each 65,536 LSNs or ten minutes of
// changes, and one at closing, when both numbers are the log's end. A log that ends below `used` is an older one. One
// that ends between the two is what a crash leaves, unless the file is another (inode, birth) or older than it was:
// then somebody put it back.
//
// Blocking: on the pool; any thread. `control` outlives it.
#pragma once

#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "gateway/control/control.h"

namespace gateway::source {

using wire::base::Lsn;
using wire::base::Result;

struct LeaseVerdict {
  bool restored = false;
  bool known = false;  // there was a line
  Lsn used, limit;
};

class LogLease {
 public:
  static constexpr uint64_t step = 65'536;
  // LSNs go on this far above the limit: more than any import gives out between two looks at it.
  static constexpr uint64_t gap = 1 << 20;

  LogLease(control::Control& control, std::string user, std::filesystem::path log)
      : control_(control), user_(std::move(user)), log_(std::move(log)) {}

  // `end`: the last LSN of the log as it was opened. Errc::unavailable: the line cannot be read (I2).
  Result<LeaseVerdict> check(Lsn end);
  // Everything up to `durable` is. Writes when it is time, or when `now`.
  Result<void> note(Lsn durable, bool now = false);
  // The store was closed in order.
  Result<void> close(Lsn durable);

 private:
  using Clock = std::chrono::steady_clock;
  Result<void> write(Lsn used, Lsn limit);

  control::Control& control_;
  const std::string user_;
  const std::filesystem::path log_;
  std::mutex mutex_;
  std::optional<control::LogLease> line_;
  bool written_ = false;  // since this was made
  Clock::time_point at_;
};

// "<name> <inode> <birth> <last change of the bytes>" of the newest segment that frames are appended to; empty: none.
std::string newest_segment(const std::filesystem::path& log);
// Whether the file that this text names is not the one that lies there now, or has gone back in time.
bool put_back(const std::filesystem::path& log, const std::string& file);

}  // namespace gateway::source
