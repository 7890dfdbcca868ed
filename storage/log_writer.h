// The end of the log: where frames are appended and made durable.
//
// write() and roll() belong to the account's owner; sync(), durable(), failed() may run on any thread at the same time.
// A write that fails is taken back (truncate and sync), so that the same LSNs can be given out again; if that fails
// too, or a sync fails, nothing more is accepted: what is on disk is then only known by opening the account again.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <vector>

#include "storage/env.h"
#include "storage/frame.h"

namespace storage {

// Open files of segments, by first LSN: one is held, others only while somebody reads them. Any thread.
class SegmentFiles {
 public:
  SegmentFiles(Env& env, std::filesystem::path log) : env_(env), log_(std::move(log)) {}
  void add(const SegmentName& name, std::shared_ptr<File> file = nullptr);
  Result<std::shared_ptr<File>> open(Lsn first);
  std::vector<SegmentName> names() const;
  const std::filesystem::path& directory() const { return log_; }
  Env& env() const { return env_; }

 private:
  struct Entry {
    SegmentName name;
    std::weak_ptr<File> file;
  };
  Env& env_;
  std::filesystem::path log_;
  mutable std::mutex mutex_;
  std::map<Lsn, Entry> entries_;
  std::shared_ptr<File> last_;  // the one most recently read
};

class LogWriter {
 public:
  LogWriter(SegmentFiles& files, AccountId account, uint64_t segment_bytes)
      : files_(files), account_(account), segment_bytes_(segment_bytes) {}

  // Goes on in a segment that exists, of `size` bytes, or (file null) starts one with the next write.
  void resume(SegmentName name, std::shared_ptr<File> file, uint64_t size, uint64_t salt, Lsn appended, Lsn durable);

  // Makes sure that there is a segment to write to: salt() and offset() are those of the next frame.
  Result<void> roll_if_full();
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
