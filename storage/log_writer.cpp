#include "storage/log_writer.h"

#include <algorithm>

#include "storage/coding.h"

namespace storage {

void SegmentFiles::add(const SegmentName& name, std::shared_ptr<File> file) {
  std::lock_guard lock(mutex_);
  entries_[{name.first, name.generation}] = Entry{name, file, log_ / name.text()};
}

Result<std::shared_ptr<File>> SegmentFiles::open(Lsn first, uint32_t generation) {
  std::lock_guard lock(mutex_);
  auto it = entries_.find({first, generation});
  if (it == entries_.end()) return Failure(Errc::corrupt, "segment is missing");
  Entry& e = it->second;
  std::shared_ptr<File> file = e.file.lock();
  if (!file) {
    Result<std::unique_ptr<File>> opened = env_.open(e.path, Env::Mode::read);
    // One that a checked store's server has moved meanwhile.
    if (!opened && opened.error().code == Errc::not_found) opened = open_segment(env_, log_, e.name);
    if (!opened) return opened.error();
    file = std::move(*opened);
    e.file = file;
  }
  last_ = file;
  return file;
}

std::vector<SegmentName> SegmentFiles::names() const {
  std::lock_guard lock(mutex_);
  std::vector<SegmentName> all;
  for (const auto& [key, entry] : entries_) {
    if (entry.in_force) all.push_back(entry.name);
  }
  return all;
}

void SegmentFiles::replace(std::span<const SegmentName> old, const SegmentName& by) {
  std::lock_guard lock(mutex_);
  for (const SegmentName& s : old) {
    if (auto it = entries_.find({s.first, s.generation}); it != entries_.end()) it->second.in_force = false;
  }
  entries_[{by.first, by.generation}] = Entry{by, {}, log_ / by.text()};
}

Result<void> SegmentFiles::retire(const SegmentName& name, const std::filesystem::path& to) {
  std::lock_guard lock(mutex_);
  if (Result<void> r = env_.rename(log_ / name.text(), to); !r) return r;
  if (auto it = entries_.find({name.first, name.generation}); it != entries_.end()) it->second.path = to;
  return {};
}

void SegmentFiles::forget(Lsn first, uint32_t generation) {
  std::lock_guard lock(mutex_);
  entries_.erase({first, generation});
}

void LogWriter::resume(SegmentName name, std::shared_ptr<File> file, uint64_t size, uint64_t salt, Lsn appended,
                       Lsn durable) {
  name_ = name;
  file_ = std::move(file);
  size_ = size;
  salt_ = salt;
  std::lock_guard lock(mutex_);
  appended_ = appended;
  durable_.store(durable.value, std::memory_order_release);
}

Result<void> LogWriter::roll_if_full() { return roll_if_above(segment_bytes_); }

Result<void> LogWriter::roll_if_above(uint64_t bytes) {
  if (failed()) return Failure(Errc::io, "the store failed earlier: open it again");
  if (file_ && size_ < bytes) return {};
  SegmentHeader header;
  uint8_t random[8];
  files_.env().random(random);
  header.salt = load_le<uint64_t>(random);
  header.first = appended().next();
  header.created = files_.env().now();
  header.account = account_;
  if (format_ >= 2) header.incompatible |= feature_format_2;
  SegmentName name{header.first, Lsn(0), 0};
  std::filesystem::path path = files_.directory() / name.text();
  // A file of that name can only be what an attempt that failed has left.
  Result<std::unique_ptr<File>> made = files_.env().open(path, Env::Mode::truncate);
  if (!made) return made.error();
  if (Result<void> r = (*made)->write_at(0, header.encode()); !r) {
    // An empty segment at the end of the log is read over, but a tidy directory is better.
    (void)files_.env().remove(path);
    return r;
  }
  std::shared_ptr<File> file = std::move(*made);
  files_.add(name, file);
  std::lock_guard lock(mutex_);
  name_ = name;
  file_ = file;
  size_ = segment_header_size;
  salt_ = header.salt;
  unsynced_.push_back(file);
  ++rolls_;
  return {};
}

void LogWriter::take_back() {
  // The sync matters: after a crash a frame of this attempt must not follow one of the next with the same LSNs.
  if (!file_->truncate(size_) || !file_->sync()) failed_.store(true, std::memory_order_release);
}

Lsn LogWriter::appended() const {
  std::lock_guard lock(mutex_);
  return appended_;
}

Result<Lsn> LogWriter::sync() {
  std::lock_guard turn(sync_mutex_);
  std::vector<std::shared_ptr<File>> files;
  Lsn target;
  uint64_t rolls = 0;
  bool directory = false;
  {
    std::lock_guard lock(mutex_);
    target = appended_;
    files = unsynced_;
    rolls = rolls_;
    directory = rolls_ != rolls_synced_;
  }
  if (failed()) return Failure(Errc::io, "the store failed earlier: open it again");
  if (durable() >= target) return durable();
  Result<void> r;
  for (const auto& f : files) {
    r = f->sync();
    if (!r) break;
  }
  if (r && directory) r = files_.env().sync_directory(files_.directory());
  if (!r) {
    failed_.store(true, std::memory_order_release);
    return r.error();
  }
  std::lock_guard lock(mutex_);
  // Files that were closed for writing in the meantime stay on the list if they came after this sync began; the last
  // one may have been written to since.
  unsynced_.erase(unsynced_.begin(), unsynced_.begin() + static_cast<ptrdiff_t>(files.empty() ? 0 : files.size() - 1));
  rolls_synced_ = rolls;
  if (appended_ == target && unsynced_.size() == 1) unsynced_.clear();
  durable_.store(target.value, std::memory_order_release);
  return target;
}

}  // namespace storage
