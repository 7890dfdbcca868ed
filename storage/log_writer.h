// The end of the log: where frames are appended and made durable.
//
// write() and roll() belong to the account's owner; sync(), durable(), failed() may run on any thread at the same time.
// A write that fails is taken back (truncate and sync), so that the same LSNs can be given out again; if that fails
// too, or a sync fails, nothing more is accepted: what is on disk is then only known by opening the account again.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "storage/env.h"
#include "storage/frame.h"
#include "storage/segments.h"

namespace storage {

// Open files of segments, by first LSN and generation: one is held, others only while somebody reads them. Any thread.
class SegmentFiles {
 public:
  SegmentFiles(Env& env, std::filesystem::path log) : env_(env), log_(std::move(log)) {}
  void add(const SegmentName& name, std::shared_ptr<File> file = nullptr);
  // Also what was replaced, until it is forgotten. Errc::corrupt: there is none.
  Result<std::shared_ptr<File>> open(Lsn first, uint32_t generation);
  std::vector<SegmentName> names() const;  // in force, in order
  // From now on `by` is in force for the range of `old`, which can still be opened.
  void replace(std::span<const SegmentName> old, const SegmentName& by);
  // Renames a file of log/; nobody can look for it meanwhile.
  Result<void> retire(const SegmentName& name, const std::filesystem::path& to);
  void forget(Lsn first, uint32_t generation);
  const std::filesystem::path& directory() const { return log_; }
  Env& env() const { return env_; }

 private:
  struct Entry {
    SegmentName name;
    std::weak_ptr<File> file;
    std::filesystem::path path;
    bool in_force = true;
  };
  Env& env_;
  std::filesystem::path log_;
  mutable std::mutex mutex_;
  std::map<std::pair<Lsn, uint32_t>, Entry> entries_;
  std::shared_ptr<File> last_;  // the one most recently read
};

class LogWriter {
 public:
  // `format`: of the segments that it starts.
  LogWriter(SegmentFiles& files, AccountId account, uint64_t segment_bytes, uint32_t format)
      : files_(files), account_(account), segment_bytes_(segment_bytes), format_(format) {}

  // Goes on in a segment that exists, of `size` bytes, or (file null) starts one with the next write.
  void resume(SegmentName name, std::shared_ptr<File> file, uint64_t size, uint64_t salt, Lsn appended, Lsn durable);

  // Makes sure that there is a segment to write to: salt() and offset() are those of the next frame.
  Result<void> roll_if_full();
  Result<void> roll_if_above(uint64_t bytes);  // the same for a segment of that size
  uint64_t salt() const { return salt_; }
  uint64_t offset() const { return size_; }
  Lsn segment() const { return name_.first; }

  // One call of `put(file, offset)` writes `length` bytes: frames up to `last`.
  template <class F>
  Result<void> write(uint64_t length, Lsn last, F&& put) {
    Result<void> r = put(*file_, size_);
    if (!r) {
      take_back();
      return r;
    }
    std::lock_guard lock(mutex_);
    size_ += length;
    appended_ = last;
    if (unsynced_.empty() || unsynced_.back() != file_) unsynced_.push_back(file_);
    return {};
  }

  Lsn appended() const;
  Lsn durable() const { return Lsn(durable_.load(std::memory_order_acquire)); }
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  Result<Lsn> sync();

 private:
  void take_back();

  SegmentFiles& files_;
  const AccountId account_;
  const uint64_t segment_bytes_;
  const uint32_t format_;

  // Owner thread.
  SegmentName name_;
  std::shared_ptr<File> file_;
  uint64_t size_ = 0, salt_ = 0;

  std::mutex sync_mutex_;  // one sync at a time: the next finds its work done
  mutable std::mutex mutex_;
  Lsn appended_;
  std::vector<std::shared_ptr<File>> unsynced_;  // oldest first
  uint64_t rolls_ = 0, rolls_synced_ = 0;        // new segments, and those whose directory entry is durable

  std::atomic<uint64_t> durable_{0};
  std::atomic<bool> failed_{false};
};

}  // namespace storage
