// One pass that gives space back: a run of segments is replaced by one without what the state no longer needs
// (docs/storage-format.md, "Rewriting"). In small steps, so that the caller decides how much of the disk it takes and
// no session waits for more than one of them:
//
//   Space(account).begin()      owner   null: pinned, or nothing could be gained
//   survey(bytes) until done    any     reads; nothing: not worth it
//   condemn(bodies) until done  owner
//   copy(bytes) until done      any     writes the new segment and gives it its name
//   adopt(bodies) until done    owner   from here on the new one is read; checkpoint.h soon after is wise
//
// cancel() (owner) instead of the next step, in any state; then, or once adopted, it may be destroyed. One pass an
// account at a time, and not over the account's close(). A step that fails has to be followed by cancel(). Errors: io,
// no_space, corrupt (a segment is damaged: it is left alone until the account is opened again), unavailable (a pin, or
// a message took up again what was to go: try later).
#pragma once

#include <memory>

#include "storage/types.h"

namespace storage {

struct RewriteOptions {
  double dead_share = 0.3;          // of a run's bytes: below it is not worth writing the rest
  uint64_t small_bytes = 4u << 20;  // segments up to this size are merged, four neighbours at least
  uint64_t run_bytes = 256u << 20;
  bool pack = true;  // letters that were not yet are compressed again, harder and with the account's dictionary
  uint64_t tail_bytes = 4u << 20;  // with pack: the segment that is appended to is ended above this, to be packed
  // In proportion to segments of another size than the usual one.
  static RewriteOptions for_segments(uint64_t bytes) {
    RewriteOptions o;
    o.small_bytes = bytes / 16;
    o.run_bytes = bytes * 4;
    o.tail_bytes = bytes / 16;
    return o;
  }
};

struct RewriteResult {
  uint64_t read = 0, written = 0;  // bytes of the sources and of the new segment
  Lsn first, last;
};

class Rewrite {
 public:
  enum class Step { more, done, nothing };
  ~Rewrite();
  Result<Step> survey(uint64_t bytes);
  Result<bool> condemn(size_t bodies);
  Result<Step> copy(uint64_t bytes);
  Result<bool> adopt(size_t bodies);
  Result<void> cancel();
  const RewriteResult& result() const;

 private:
  friend class Space;
  class Impl;
  explicit Rewrite(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace storage
