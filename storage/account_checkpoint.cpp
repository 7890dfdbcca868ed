// index.snap: writing it, trusting it, and reading its sections when they are needed.
#include <algorithm>

#include "storage/account_impl.h"
#include "storage/cold_rescue.h"
#include "storage/crc32c.h"
#include "storage/replay.h"
#include "storage/snapshot_draft.h"

namespace storage {

// False: the log has to be read from its beginning.
Result<bool> Account::Impl::use_snapshot(const std::vector<SegmentName>& segments, SnapshotBase& base) {
  Result<SnapshotFile> file = SnapshotFile::open(env_, snapshot_path());
  if (!file && file.error().code == Errc::not_found) return false;
  if (!file && file.error().code != Errc::corrupt) return file.error();  // also: of a later version
  Result<bool> fits = file ? fits_log(*file, segments, base) : Result<bool>(false);
  if (!fits) return fits.error();
  if (!*fits) {
    if (options_.read_only) return false;
    if (Result<void> r = refuse_later_versions(segments); !r) return r.error();
    // One that is newer than its log (a backup restored) must not come to fit once the log has grown again.
    if (Result<void> r = env_.remove(snapshot_path()); !r) return r.error();
    if (Result<void> r = env_.sync_directory(directory_); !r) return r.error();
    return false;
  }
  SnapshotDirectory& d = file->directory();
  account_ = file->header().account;
  base.lsn = file->header().lsn;
  state_.restore(std::move(d.subscriptions), std::move(d.annotations), std::move(d.validities), d.next_key, d.epoch);
  for (auto& [key, slot] : d.slots) state_.restore(key, std::move(slot));
  state_.set_loader(mailbox_loader());
  bodies_->set_base(body_loader(d.finder));
  for (const DictionaryPlace& p : d.dictionaries) bodies_->dictionaries()->put(p);
  small_bodies_ = d.small_bodies;
  small_uncounted_ = file->header().format < 2;
  return true;
}

// What a later build wrote is not touched, index.snap included.
Result<void> Account::Impl::refuse_later_versions(const std::vector<SegmentName>& segments) {
  LogScan scan(env_, files_.directory(), segments, true);
  for (size_t s = 0; s < segments.size(); ++s) {
    if (Result<void> r = scan.check_features(s); !r) return r;
  }
  return {};
}

Result<bool> Account::Impl::fits_log(SnapshotFile& file, const std::vector<SegmentName>& segments, SnapshotBase& base) {
  const SnapshotHeader& h = file.header();
  auto named = [&](Lsn first) {
    return std::find_if(segments.begin(), segments.end(), [&](const SegmentName& s) { return s.first == first; });
  };
  const std::vector<SegmentName>& known = file.directory().segments;
  for (size_t i = 0; i < known.size(); ++i) {
    const SegmentName& s = known[i];
    if (std::find(segments.begin(), segments.end(), s) != segments.end()) continue;
    // Another generation has its frames: the places of bodies are wrong, and the log says everything.
    bool elsewhere = std::any_of(segments.begin(), segments.end(), [&](const SegmentName& r) {
      return r.first == s.first || (r.last && r.first <= s.first && s.first <= r.last);
    });
    if (elsewhere) {
      report_.damage.clear();
      return false;
    }
    // Identity is still known; what was in the segment is not.
    Lsn last = i + 1 < known.size() ? Lsn(known[i + 1].first.value - 1) : s.last;
    report_.damage.push_back(
        {"segment is missing, LSN " + std::to_string(s.first.value) + " to " + std::to_string(last.value), s.text(),
         s.first});
  }
  auto tail = named(h.tail_segment);
  if (tail == segments.end()) {
    report_.damage.clear();
    return false;
  }
  Result<std::unique_ptr<File>> log = env_.open(files_.directory() / tail->text(), Env::Mode::read);
  if (!log) return log.error();
  Result<uint64_t> size = (*log)->size();
  if (!size) return size.error();
  uint8_t bytes[segment_header_size];
  Result<size_t> n = (*log)->read_at(0, bytes);
  if (!n) return n.error();
  std::optional<SegmentHeader> header = SegmentHeader::decode({bytes, *n});
  if (header && (header->incompatible & ~known_incompatible)) {
    return Failure(Errc::unsupported, "log of a later version", tail->text());
  }
  if (!header || header->salt != h.tail_salt || header->account != h.account || *size < h.tail_offset) {
    report_.damage.clear();
    return false;
  }
  base.tail = {static_cast<size_t>(tail - segments.begin()), h.tail_offset};
  return true;
}

AccountState::Loader Account::Impl::mailbox_loader() {
  return [this](MailboxKey key, const AccountState::Slot& slot) { return load_mailbox(key, slot); };
}

std::shared_ptr<const MailboxState> Account::Impl::load_mailbox(MailboxKey key, const AccountState::Slot& slot) {
  Result<std::shared_ptr<const File>> opened = snapshot_file();
  Result<SnapshotFile> file = opened ? SnapshotFile::open_known(*opened) : Result<SnapshotFile>(opened.error());
  if (file) {
    std::shared_ptr<const ColdFile> cold = cold_file_.lock();
    if (!cold) cold_file_ = cold = cold_file(env_, directory_, file->file(), file->header().lsn, cold_health_);
    if (Result<std::shared_ptr<const MailboxState>> box = file->mailbox(slot.section, key, cold)) return *box;
  }
  snapshot_failed_ = true;
  if (!opened_) return nullptr;  // opening starts over without it
  // A mailbox that was never loaded has not changed since the snapshot: whatever state the log gives is its state.
  if (!rescued_) {
    auto state = std::make_unique<AccountState>();
    BodyIndex bodies;
    if (!read_whole_log(*state, bodies)) return nullptr;
    rescued_ = std::move(state);
  }
  return rescued_->mailbox(key);
}

Result<std::shared_ptr<const File>> Account::Impl::snapshot_file() {
  std::lock_guard lock(snapshot_file_mutex_);
  std::shared_ptr<const File> file = snapshot_file_.lock();
  if (file) return file;
  Result<std::unique_ptr<File>> opened = env_.open(snapshot_path(), Env::Mode::read);
  if (!opened) return opened.error();
  snapshot_file_ = file = std::move(*opened);
  return file;
}

BodyIndex::Loader Account::Impl::body_loader(const SectionRef& finder) {
  return [this, finder](bool whole) -> Result<std::shared_ptr<const BodyBase>> {
    Result<std::shared_ptr<const File>> opened = snapshot_file();
    if (opened && !whole) {
      Result<SnapshotFile> file = SnapshotFile::open_known(*opened);
      Result<std::shared_ptr<const BodyFinder>> found = file ? file->finder(finder) : file.error();
      if (found && *found) return std::shared_ptr<const BodyBase>(std::move(*found));
    }
    if (whole || finder.length != 0) cold_health_->damaged = true;
    Result<BodyTable> table = load_bodies();
    if (!table) return table.error();
    return std::shared_ptr<const BodyBase>(std::make_shared<LoadedBodies>(std::move(*table)));
  };
}

Result<BodyTable> Account::Impl::load_bodies() {
  Result<SnapshotFile> file = SnapshotFile::open(env_, snapshot_path());
  if (file) {
    if (Result<BodyTable> table = file->bodies()) return table;
  }
  cold_health_->damaged = true;
  AccountState state;
  BodyIndex bodies;
  if (Result<void> r = read_whole_log(state, bodies); !r) return r.error();
  Result<std::vector<BodyPlace>> places = bodies.all();
  if (!places) return places.error();
  BodyTable table;
  for (const BodyPlace& p : *places) table.add(p);
  return table;
}

Result<void> Account::Impl::read_whole_log(AccountState& state, BodyIndex& bodies) {
  state.set_tombstone_ranges(options_.tombstone_ranges);
  LogScan scan(env_, files_.directory(), files_.names(), false);
  Replayer replayer(state, bodies, 1);
  return scan.run({}, Lsn(1), Lsn(0), std::ref(replayer));
}

Result<void> Account::Impl::write_draft(SnapshotDraft& draft, const DraftLoader& load) {
  if (Result<Lsn> r = writer().sync(); !r) return r.error();
  SnapshotDirectory& d = draft.directory;
  SnapshotHeader& h = draft.header;
  Result<std::vector<BodyPlace>> places = places_of(draft);
  if (!places) return places.error();
  if (small_uncounted_ && format_ >= 2) d.small_bodies = count_small(*places);
  std::optional<SnapshotFile> old;
  if (Result<SnapshotFile> f = SnapshotFile::open(env_, snapshot_path())) old = std::move(*f);

  Buffer directory;
  d.encode(directory);
  h.directory_length = static_cast<uint32_t>(directory.size());
  const uint64_t start = SnapshotHeader::size + directory.size();
  uint64_t at = start;
  Result<std::unique_ptr<File>> file = env_.open(snapshot_temporary(), Env::Mode::truncate);
  if (!file) return file.error();
  auto put = [&](std::span<const uint8_t> bytes, SectionRef& ref) -> Result<void> {
    ref = {at - start, bytes.size(), crc32c(bytes)};
    at += bytes.size();
    return (*file)->write_at(start + ref.offset, bytes);
  };
  Buffer hot, cold, place_bytes;
  std::vector<ColdPiece> pieces;
  std::vector<std::pair<MailboxKey, ColdPiece>> to_pack;
  std::optional<BodyEncoder> encoder;
  if (format_ >= 2) encoder.emplace(place_bytes, *places);
  const OnName note = [&](const Sha256& name) {
    if (encoder) encoder->add(name);
  };
  // What is read later lies behind what is read first.
  auto put_mailbox = [&](std::span<const uint8_t> first, std::span<const uint8_t> later, SectionRef& ref) {
    Result<void> r = put(first, ref);
    if (!r || later.empty()) return r;
    r = (*file)->write_at(at, later);
    at += later.size();
    return r;
  };
  for (auto& [key, slot] : d.slots) {
    std::shared_ptr<const MailboxState> box = slot.mailbox;
    if (!box && old) {
      // Never looked at since: its bytes are still right, or what they say in another format.
      if (Result<std::shared_ptr<const Buffer>> section = old->section(slot.section)) {
        const uint32_t format = old->header().format;
        Result<std::shared_ptr<const Buffer>> rest = std::make_shared<const Buffer>();
        if (format >= 2) rest = old->cold(slot.section, **section, note);
        if (format == format_ && rest) {
          if (Result<void> r = put_mailbox((*section)->bytes(), (*rest)->bytes(), slot.section); !r) return r;
          continue;
        }
        if (!rest && rest.error().code != Errc::corrupt) return rest.error();
        const auto cold_part = cold_file(env_, directory_, old->file(), old->header().lsn, cold_health_);
        if (Result<std::shared_ptr<const MailboxState>> r = old->mailbox(slot.section, key, cold_part)) box = *r;
      }
    }
    if (!box) box = load(key);
    if (!box) return Failure(Errc::unavailable, "a mailbox cannot be read from index.snap");
    hot.clear();
    cold.clear();
    pieces.clear();
    MailboxSection::encode(hot, cold, *box, format_, pieces);
    for (ColdPiece& p : pieces) {
      Result<void> r = names_of(cold.bytes(static_cast<size_t>(p.offset), p.length), p.messages, note);
      if (!r) return r;
      p.offset += at + hot.size();
      if (p.same) draft.moved.push_back(p);
      if ((!p.same || p.chunk->cold->in_memory()) && !draft.closing) to_pack.emplace_back(key, std::move(p));
    }
    if (Result<void> r = put_mailbox(hot.bytes(), cold.bytes(), slot.section); !r) return r;
  }
  if (encoder) {
    encoder->finish();
  } else {
    encode_places(place_bytes, *places);
  }
  if (Result<void> r = put(place_bytes.bytes(), d.bodies); !r) return r;
  encoder.reset();
  FinderWriter finder(*places);
  if (Result<void> r = finder.write(**file, at); !r) return r;
  const uint64_t behind = at + finder.size();
  if (Result<void> r = put(finder.head().bytes(), d.finder); !r) return r;
  at = behind;

  directory.clear();
  d.encode(directory);
  h.directory_crc = crc32c(directory.bytes());
  h.file_length = at;
  if (Result<void> r = (*file)->write_at(SnapshotHeader::size, directory.bytes()); !r) return r;
  if (Result<void> r = (*file)->write_at(0, h.encode()); !r) return r;
  if (Result<void> r = (*file)->sync(); !r) return r;
  if (draft.moved.empty() && to_pack.empty()) return {};
  Result<std::unique_ptr<File>> reading = env_.open(snapshot_temporary(), Env::Mode::read);
  if (!reading) return reading.error();
  draft.file = cold_file(env_, directory_, std::move(*reading), draft.lsn, cold_health_);
  for (const auto& [key, p] : to_pack) {
    draft.packed[key][p.chunk.get()] = p.chunk->packed(key, {draft.file, p.offset, p.length, p.crc});
  }
  return {};
}

}  // namespace storage
