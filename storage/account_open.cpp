// Opening: index.snap and the tail of the log, or the log alone; mending a torn tail; creating.
#include <algorithm>

#include "storage/account_impl.h"
#include "storage/replay.h"

namespace storage {
namespace {

constexpr size_t piece_size = 1u << 20;

}  // namespace

Result<void> Account::Impl::open() {
  state_.set_tombstone_ranges(options_.tombstone_ranges);
  Result<LogListing> log = list_log(env_, directory_ / "log");
  if (!log && log.error().code != Errc::not_found) return log.error();
  bool none = !log || log->in_force.empty();
  if (log && !options_.read_only && !(log->unfinished.empty() && log->taken_back.empty())) {
    if (Result<void> r = refuse_later_versions(log->in_force); !r) return r;
    if (Result<void> r = tidy(*log); !r) return r;
  }
  if (!none) {
    if (Result<void> r = recover(std::move(log->in_force)); !r) return r;
    none = writer().appended().value == 0 && files_.names().empty();
  }
  if (none) {
    if (!options_.create || options_.read_only) return Failure(Errc::not_found, "no such store");
    if (Result<void> r = create(); !r) return r;
  }
  if (state_.epoch() > options_.epoch && !options_.read_only) {
    return Failure(Errc::conflict, "the store was written under a later epoch");
  }
  epoch_ = std::max(options_.epoch, state_.epoch());
  opened_ = true;
  return {};
}

// What a rewrite that was cut short has left goes; what a copy of the directory lacks comes back from retired/.
Result<void> Account::Impl::tidy(const LogListing& log) {
  for (const std::string& name : log.unfinished) {
    if (Result<void> r = env_.remove(files_.directory() / name); !r) return r;
  }
  if (log.taken_back.empty()) return {};
  std::filesystem::path retired = retired_directory(files_.directory());
  for (const RetiredName& r : log.taken_back) {
    Result<void> moved = env_.rename(retired / r.text(), files_.directory() / r.in_log().text());
    if (!moved) return moved;
  }
  if (Result<void> r = env_.sync_directory(files_.directory()); !r) return r;
  return env_.sync_directory(retired);
}

Result<void> Account::Impl::create() {
  if (Result<void> r = env_.make_directory(directory_ / "log"); !r) return r;
  find_dictionaries();
  env_.random(account_);
  format_ = std::clamp<uint32_t>(options_.format, 1, newest_format);
  writer_.emplace(files_, account_, options_.segment_bytes, format_);
  writer().resume({}, nullptr, 0, 0, Lsn(0), Lsn(0));
  if (Result<void> r = writer().roll_if_full(); !r) return r;
  Result<std::shared_ptr<File>> file = files_.open(Lsn(1), 0);
  if (!file) return file.error();
  if (Result<void> r = (*file)->sync(); !r) return r;
  // Up to the data directory: the ones between may be new, too.
  std::filesystem::path d = directory_ / "log";
  for (int level = 0; level < 5 && !d.empty(); ++level) {
    if (Result<void> r = env_.sync_directory(d); !r) return r;
    if (d == d.parent_path()) break;
    d = d.parent_path();
  }
  return {};
}

Result<void> Account::Impl::recover(std::vector<SegmentName> segments) {
  SnapshotBase base;
  find_dictionaries();
  Result<bool> have = use_snapshot(segments, base);
  if (!have) return have.error();
  std::optional<LogScan> scan;
  if (*have) {
    scan.emplace(env_, files_.directory(), segments, !options_.read_only);
    if (Result<void> r = replay(*scan, base.tail, base.lsn.next(), base.lsn); !r) return r;
    report_.used_snapshot = true;
    snapshot_lsn_ = base.lsn;
  }
  if (!*have || snapshot_failed_) {
    report_ = OpenReport{};
    state_ = AccountState();
    state_.set_tombstone_ranges(options_.tombstone_ranges);
    bodies_ = std::make_shared<BodyIndex>();
    find_dictionaries();
    small_bodies_ = 0;
    small_uncounted_ = false;
    snapshot_failed_ = false;
    scan.emplace(env_, files_.directory(), segments, !options_.read_only);
    if (Result<void> r = replay(*scan, {}, Lsn(1), Lsn(0)); !r) return r;
    checkpoint_ = snapshot_lsn_ = Lsn(0);
  }
  if (!report_.used_snapshot) account_ = scan->account();
  report_.frames = scan->frames();
  report_.bytes = scan->bytes();
  report_.torn_bytes = scan->torn_bytes();
  if (!options_.read_only) {
    if (Result<void> r = mend(*scan); !r) return r;
    if (Result<void> r = make_durable(*scan); !r) return r;
  }
  return resume(*scan);
}

Result<void> Account::Impl::replay(LogScan& scan, LogPosition from, Lsn expected, Lsn synced) {
  Replayer replayer(state_, *bodies_, next_token());
  if (Result<void> r = scan.run(from, expected, synced, std::ref(replayer)); !r) return r;
  report_.damage.insert(report_.damage.end(), scan.damage().begin(), scan.damage().end());
  report_.damage.insert(report_.damage.end(), replayer.damage().begin(), replayer.damage().end());
  small_bodies_ += replayer.small_bodies();
  if (replayer.changes() == 0) checkpoint_ = Lsn(scan.next().value - 1);
  return {};
}

// Newest first, so that a crash in between leaves a torn tail again and never a hole that looks like damage.
Result<void> Account::Impl::mend(LogScan& scan) {
  LogPosition end = scan.end();
  if (scan.torn_header() && scan.torn_header()->first <= end.segment) {
    auto [segment, header] = *scan.torn_header();
    if (scan.format() >= 2) header.incompatible |= feature_format_2;
    Result<std::unique_ptr<File>> file =
        env_.open(files_.directory() / scan.segments()[segment].text(), Env::Mode::write);
    if (!file) return file.error();
    if (Result<void> r = (*file)->write_at(0, header.encode()); !r) return r;
    if (Result<void> r = (*file)->sync(); !r) return r;
  }
  if (!scan.torn()) return {};
  bool keep = end.offset >= segment_header_size;
  for (size_t s = scan.segments().size(); s-- > end.segment + (keep ? 1 : 0);) {
    if (Result<void> r = env_.remove(files_.directory() / scan.segments()[s].text()); !r) return r;
  }
  if (keep) {
    Result<std::unique_ptr<File>> file =
        env_.open(files_.directory() / scan.segments()[end.segment].text(), Env::Mode::write);
    if (!file) return file.error();
    if (Result<void> r = (*file)->truncate(end.offset); !r) return r;
    if (Result<void> r = (*file)->sync(); !r) return r;
  }
  return env_.sync_directory(files_.directory());
}

// Frames that nobody has seen synced are written once more before they are: where an earlier sync failed, the kernel
// may hold them as clean pages that never reached the disk.
Result<void> Account::Impl::make_durable(const LogScan& scan) {
  if (scan.unsynced().empty()) return {};
  LogPosition from = scan.unsynced().front().second, end = scan.end();
  Buffer piece;
  for (size_t s = from.segment; s < scan.segments().size() && s <= end.segment; ++s) {
    if (s == end.segment && end.offset < segment_header_size) break;
    Result<std::unique_ptr<File>> file = env_.open(files_.directory() / scan.segments()[s].text(), Env::Mode::write);
    if (!file) return file.error();
    for (uint64_t at = s == from.segment ? from.offset : 0;;) {
      piece.resize(piece_size);
      Result<size_t> n = (*file)->read_at(at, {piece.data(), piece.size()});
      if (!n) return n.error();
      if (*n == 0) break;
      if (Result<void> r = (*file)->write_at(at, piece.bytes(0, *n)); !r) return r;
      at += *n;
    }
    if (Result<void> r = (*file)->sync(); !r) return r;
  }
  return env_.sync_directory(files_.directory());
}

Result<void> Account::Impl::resume(const LogScan& scan) {
  LogPosition end = scan.end();
  bool keep = end.offset >= segment_header_size;
  size_t kept = scan.torn() ? end.segment + (keep ? 1 : 0) : scan.segments().size();
  for (size_t s = 0; s < kept; ++s) files_.add(scan.segments()[s]);
  Lsn last(scan.next().value - 1);
  format_ = std::max(std::clamp<uint32_t>(options_.format, 1, newest_format), scan.format());
  writer_.emplace(files_, account_, options_.segment_bytes, format_);
  SegmentName name;
  std::shared_ptr<File> file;
  uint64_t salt = 0;
  // Goes on in the last segment if that is one of ours and whole; else the next write starts another.
  bool whole = keep && end.segment + 1 == kept && scan.end_header() && !scan.end_mended();
  // Of the older format, and what is written now is not for it: a new segment begins, in its place if it is empty.
  bool older = whole && scan.end_header()->format() < format_ && !options_.read_only;
  if (keep && end.segment + 1 == kept && scan.end_header() && scan.segments()[end.segment].generation == 0 && !older) {
    name = scan.segments()[end.segment];
    salt = scan.end_header()->salt;
    if (!options_.read_only && !scan.end_mended()) {
      Result<std::unique_ptr<File>> opened = env_.open(files_.directory() / name.text(), Env::Mode::write);
      if (!opened) return opened.error();
      file = std::move(*opened);
      files_.add(name, file);
    }
  }
  // A last segment that cannot be read keeps its name: the next one needs another.
  if (!file && !older && kept > 0 && scan.segments()[kept - 1].first == last.next()) last = last.next();
  Lsn durable = options_.read_only ? std::min(scan.synced(), last) : last;
  writer().resume(name, std::move(file), end.offset, salt, last, durable);
  return {};
}

}  // namespace storage
