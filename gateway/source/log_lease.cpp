#include "gateway/source/log_lease.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <sstream>

#include "storage/frame.h"

namespace gateway::source {

using storage::Errc;
using storage::Failure;
using storage::SegmentName;

namespace {

constexpr std::chrono::minutes longest_silence{10};

struct Identity {
  uint64_t inode = 0;
  int64_t born = 0, changed = 0;  // nanoseconds since 1970; born 0: the file system does not tell
};

int64_t nanoseconds(const struct statx_timestamp& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; }

std::optional<Identity> identity_of(const std::filesystem::path& file) {
  struct statx s {};
  if (::statx(AT_FDCWD, file.c_str(), 0, STATX_INO | STATX_BTIME | STATX_MTIME, &s) != 0) return {};
  Identity out;
  out.inode = s.stx_ino;
  if ((s.stx_mask & STATX_BTIME) != 0) out.born = nanoseconds(s.stx_btime);
  out.changed = nanoseconds(s.stx_mtime);
  return out;
}

std::vector<SegmentName> segments_in(const std::filesystem::path& log) {
  std::vector<SegmentName> out;
  std::error_code ec;
  std::filesystem::directory_iterator it(log, ec);
  for (; !ec && it != std::filesystem::directory_iterator(); it.increment(ec)) {
    if (auto name = SegmentName::parse(it->path().filename().string())) out.push_back(*name);
  }
  return out;
}

}  // namespace

std::string newest_segment(const std::filesystem::path& log) {
  std::optional<SegmentName> newest;
  for (const SegmentName& s : segments_in(log)) {
    if (!s.last && (!newest || newest->first < s.first)) newest = s;
  }
  if (!newest) return {};
  const auto is = identity_of(log / newest->text());
  if (!is) return {};
  std::ostringstream out;
  out << newest->text() << ' ' << is->inode << ' ' << is->born << ' ' << is->changed;
  return out.str();
}

bool put_back(const std::filesystem::path& log, const std::string& file) {
  std::istringstream in(file);
  std::string text;
  Identity was;
  if (!(in >> text >> was.inode >> was.born >> was.changed)) return false;
  const auto name = SegmentName::parse(text);
  if (!name) return false;
  const auto is = identity_of(log / text);
  if (is) return is->inode != was.inode || is->born != was.born || is->changed < was.changed;
  for (const SegmentName& s : segments_in(log)) {
    if (s.generation > name->generation && s.first <= name->first && name->first <= s.last) return false;  // rewritten
  }
  return true;
}

Result<LeaseVerdict> LogLease::check(Lsn end) {
  const std::lock_guard lock(mutex_);
  auto line = control_.log_lease(user_);
  if (!line) {
    return Failure(Errc::unavailable, "the control database cannot be asked how far the log was: " + line.error().note);
  }
  line_ = *line;
  LeaseVerdict out;
  if (!line_) return out;
  out.known = true;
  out.used = line_->used;
  out.limit = line_->limit;
  const bool was_open = line_->limit > line_->used;
  out.restored = end < line_->used || (was_open && end < line_->limit && put_back(log_, line_->file));
  return out;
}

Result<void> LogLease::write(Lsn used, Lsn limit) {
  control::LogLease line{used, limit, newest_segment(log_)};
  if (auto ok = control_.set_log_lease(user_, line); !ok) return ok;
  line_ = std::move(line);
  written_ = true;
  at_ = Clock::now();
  return {};
}

Result<void> LogLease::note(Lsn durable, bool now) {
  const std::lock_guard lock(mutex_);
  const bool due =
      now || !written_ || line_->limit.value < durable.value + step / 2 || Clock::now() - at_ >= longest_silence;
  if (!due) return {};
  return write(durable, Lsn(durable.value + step));
}

Result<void> LogLease::close(Lsn durable) {
  const std::lock_guard lock(mutex_);
  // What was not changed needs no line; one that a crash left open is put right.
  const bool open = line_ && line_->limit > line_->used;
  if (!written_ && !open) return {};
  return write(durable, durable);
}

}  // namespace gateway::source
