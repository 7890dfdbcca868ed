#include "storage/check.h"

#include <algorithm>
#include <map>

#include "storage/body_reader.h"
#include "storage/log_writer.h"
#include "storage/replay.h"
#include "storage/snapshot_file.h"

namespace storage {
namespace {

constexpr size_t max_problems = 1000;  // of a store that is past repair the rest says nothing new

class Check {
 public:
  Check(Env& env, std::filesystem::path directory, const CheckProgress& progress, Lsn until)
      : directory_(std::move(directory)), files_(env, directory_ / "log"), progress_(progress), until_(until) {}

  Result<CheckReport> run();

 private:
  Result<void> batch(std::span<const LogFrame> frames);
  Result<void> body(const LogFrame& frame);
  Result<void> body_at(const BodyPlace& place);
  Result<void> bodies_that_waited();
  Result<void> references();
  Result<void> snapshot();
  Result<void> replaced_and_pinned(const LogListing& listing);
  void problem(std::string what, std::string where, std::string repair) {
    if (report_.problems.size() < max_problems) {
      report_.problems.push_back({std::move(what), std::move(where), std::move(repair)});
    }
  }

  std::filesystem::path directory_;
  SegmentFiles files_;
  const CheckProgress& progress_;
  Lsn until_;
  CheckReport report_;
  AccountState state_;
  BodyIndex bodies_;
  Replayer replayer_{state_, bodies_, 1};
  uint64_t done_ = 0, total_ = 0, all_bytes_ = 0, doubled_bytes_ = 0;
  std::vector<std::pair<BodyPlace, uint32_t>> later_;             // bodies whose dictionary has not been met, and that
  std::map<Sha256, uint32_t> unread_;                             // by the dictionary that is not there
  std::map<Sha256, uint64_t> body_bytes_;                         // good ones
  std::map<std::pair<MailboxKey, Uid>, uint64_t> message_bytes_;  // the frame that made it
  Buffer piece_;
};

Result<void> Check::body(const LogFrame& f) {
  Result<BodyFrame> head = read_body_frame(f.header, f.payload);
  if (!head) return {};  // the replayer reports it
  const BodyPlace place{head->name, f.segment, f.generation, f.offset, f.header.length};
  if (head->dictionary != 0 && !bodies_.dictionaries()->get(head->dictionary)) {
    later_.push_back({place, head->dictionary});
    return {};
  }
  return body_at(place);
}

// Where a segment was rewritten, letters may need a dictionary that lies behind them.
Result<void> Check::bodies_that_waited() {
  for (const auto& [place, dictionary] : later_) {
    Result<std::shared_ptr<const Dictionary>> got = bodies_.dictionaries()->get(dictionary);
    if (!got && got.error().code != Errc::corrupt) return got.error();
    if (!got) {
      unread_[place.name] = dictionary;
    } else if (Result<void> r = body_at(place); !r) {
      return r;
    }
  }
  return {};
}

Result<void> Check::body_at(const BodyPlace& place) {
  std::string where = "segment " + std::to_string(place.segment.value) + " at " + std::to_string(place.offset);
  std::string repair =
      "--repair takes it out and fetches the bytes from the source or an older copy (--from DIRECTORY)";
  Result<std::shared_ptr<File>> file = files_.open(place.segment, place.generation);
  if (!file) return file.error();
  Result<StoredBody> reader = StoredBody::open(*file, place, nullptr, bodies_.dictionaries());
  if (!reader && reader.error().code != Errc::corrupt) return reader.error();
  if (!reader) return {};
  Sha256Hasher hasher;
  piece_.resize(body_block_size);
  for (uint64_t at = 0; at < reader->size();) {
    Result<size_t> n = reader->read(at, {piece_.data(), piece_.size()});
    if (!n && n.error().code != Errc::corrupt) return n.error();
    if (!n || *n == 0) {
      problem("body " + to_hex(place.name) + " does not decompress", where, repair);
      return {};
    }
    hasher.update(piece_.bytes(0, *n));
    at += *n;
  }
  if (hasher.finish() != place.name) {
    problem("body " + to_hex(place.name) + " is not the bytes that it is named after", where, repair);
    return {};
  }
  if (auto it = body_bytes_.find(place.name); it != body_bytes_.end()) doubled_bytes_ += it->second;
  body_bytes_[place.name] = frame_header_size + place.length;
  return {};
}

Result<void> Check::batch(std::span<const LogFrame> frames) {
  for (const LogFrame& f : frames) {
    uint64_t bytes = frame_header_size + f.header.length;
    all_bytes_ += bytes;
    done_ += bytes;
    if (f.header.kind == FrameKind::body && !f.damaged) {
      if (Result<void> r = body(f); !r) return r;
    } else if (f.header.kind == FrameKind::message || f.header.kind == FrameKind::messages) {
      Result<std::vector<record::Op>> ops = record::decode_all(f.header, f.payload);
      for (size_t i = 0; ops && i < ops->size(); ++i) {
        const auto& m = std::get<record::Message>((*ops)[i]);
        message_bytes_[{m.mailbox, m.uid}] = bytes / ops->size();
      }
    }
  }
  if (progress_ && !progress_(done_, total_)) return Failure(Errc::unavailable, "check was stopped");
  return replayer_(frames);
}

Result<void> Check::references() {
  std::map<Sha256, uint64_t> used;
  for (const auto& [name, bytes] : body_bytes_) used[name] = 0;
  std::map<uint32_t, uint64_t> unread;  // messages, by the dictionary that is not there
  uint64_t live_messages = 0, all_messages = 0, live_bodies = 0, all_bodies = 0;
  for (const auto& [key, slot] : state_.slots()) {
    MailboxSnapshotPtr box = slot.mailbox->snapshot();
    ++report_.mailboxes;
    report_.messages += box->size();
    uint64_t missing = 0;
    Uid first_missing;
    for (uint32_t i = 0; i < box->size(); ++i) {
      const MessageInfo& info = box->message(i);
      if (auto it = message_bytes_.find({key, box->uid(i)}); it != message_bytes_.end()) live_messages += it->second;
      if (!info.body) continue;
      auto it = used.find(*info.body);
      if (it != used.end()) {
        ++it->second;
        continue;
      }
      if (auto lost = unread_.find(*info.body); lost != unread_.end()) {
        ++unread[lost->second];
      } else if (missing++ == 0) {
        first_missing = box->uid(i);
      }
    }
    if (missing > 0) {
      problem(
          std::to_string(missing) + " messages whose bodies are missing",
          "mailbox " + std::to_string(key.value) + " from UID " + std::to_string(first_missing.value),
          "--repair fetches them from the source or, with --from DIRECTORY, from an older copy of the store; they stay "
          "listed");
    }
  }
  for (const auto& [id, messages] : unread) {
    problem(
        "dictionary " + std::to_string(id) + " is missing or damaged: " + std::to_string(messages) +
            " messages cannot be read without it",
        "log",
        "--repair fetches them from the source or, with --from DIRECTORY, takes it from an older copy of the store");
  }
  for (const auto& [key, bytes] : message_bytes_) all_messages += bytes;
  for (const auto& [name, bytes] : body_bytes_) {
    all_bodies += bytes;
    ++report_.bodies;
    if (uint64_t times = used[name]; times > 0) {
      live_bodies += bytes;
      report_.shared_bytes += (times - 1) * bytes;
    } else {
      ++report_.orphan_bodies;
    }
  }
  report_.dead_bytes = (all_messages - live_messages) + (all_bodies - live_bodies) + doubled_bytes_;
  report_.live_bytes = all_bytes_ - report_.dead_bytes;
  return {};
}

Result<void> Check::replaced_and_pinned(const LogListing& listing) {
  std::vector<std::filesystem::path> paths;
  for (const SegmentName& s : listing.superseded) paths.push_back(files_.directory() / s.text());
  for (const RetiredName& r : listing.retired) paths.push_back(retired_directory(files_.directory()) / r.text());
  for (const std::filesystem::path& p : paths) {
    Result<std::unique_ptr<File>> file = files_.env().open(p, Env::Mode::read);
    if (!file && file.error().code == Errc::not_found) continue;  // a server has just moved or removed it
    if (!file) return file.error();
    Result<uint64_t> size = (*file)->size();
    if (!size) return size.error();
    report_.retired_bytes += *size;
  }
  Result<std::vector<Pin>> pins = read_pins(files_.env(), directory_);
  if (pins) {
    report_.pins = std::move(*pins);
  } else if (pins.error().code == Errc::corrupt) {
    problem("the file of pins is damaged: nothing is rewritten or removed", "pins",
            "remove it, and pin again what a backup or rollback that is under way needs");
  } else {
    return pins.error();
  }
  return {};
}

Result<void> Check::snapshot() {
  std::string wrong;
  Result<bool> good = snapshot_is_good(files_.env(), directory_ / "index.snap", &wrong);
  if (!good) return good.error();
  if (!*good) problem(wrong, "index.snap", "none needed: it is made again");
  return {};
}

Result<CheckReport> Check::run() {
  Result<LogListing> listing = list_log(files_.env(), files_.directory());
  if (!listing) return listing.error();
  const std::vector<SegmentName>* segments = &listing->in_force;
  if (segments->empty()) return Failure(Errc::not_found, "no such store");
  bodies_.dictionaries()->set_files([this](Lsn first, uint32_t generation) { return files_.open(first, generation); });
  for (const SegmentName& s : *segments) {
    files_.add(s);
    Result<std::shared_ptr<File>> file = files_.open(s.first, s.generation);
    if (!file) return file.error();
    Result<uint64_t> size = (*file)->size();
    if (!size) return size.error();
    total_ += *size;
  }
  LogScan scan(files_.env(), files_.directory(), *segments, false);
  LogScan::OnBatch on_batch = [this](std::span<const LogFrame> frames) { return batch(frames); };
  if (Result<void> r = scan.run({}, Lsn(1), Lsn(0), on_batch); !r) return r.error();
  if (Result<void> r = bodies_that_waited(); !r) return r.error();
  report_.frames = scan.frames();
  report_.end = Lsn(scan.next().value - 1);
  if (auto at = state_.annotations().find(restored_annotation); at != state_.annotations().end()) {
    report_.restored = at->second;
  }
  for (const OpenReport::Damage& d : scan.damage()) {
    problem(d.what, d.where,
            "--repair takes the bytes out and keeps what index.snap knows of them; bodies come from the source or a "
            "backup");
  }
  for (const OpenReport::Damage& d : replayer_.damage())
    problem(d.what, d.where, "--repair takes it out: what it was about is lost");
  if (scan.torn() && scan.next() <= until_ && until_ != Lsn(UINT64_MAX)) {
    problem("frames that were durable are gone", "LSN " + std::to_string(scan.next().value), "restore a backup");
  } else if (scan.torn() && until_ == Lsn(UINT64_MAX)) {
    report_.notes.push_back(
        {"an interrupted write of " + std::to_string(scan.torn_bytes()) + " bytes at the end of the log",
         "LSN " + std::to_string(scan.next().value), "none needed: it was never acknowledged and is cut when opened"});
  }
  if (scan.torn_header() && until_ == Lsn(UINT64_MAX)) {
    report_.notes.push_back({"an interrupted write of a segment's header",
                             segments->at(scan.torn_header()->first).text(),
                             "none needed: it is written again when opened"});
  }
  if (Result<void> r = references(); !r) return r.error();
  if (Result<void> r = snapshot(); !r) return r.error();
  if (Result<void> r = replaced_and_pinned(*listing); !r) return r.error();
  return std::move(report_);
}

}  // namespace

namespace {

// That the finder, if there is one, has the same places as the section.
Result<bool> finder_says(const SnapshotFile& file, const BodyTable& bodies) {
  Result<std::shared_ptr<const BodyFinder>> finder = file.finder();
  if (!finder) return finder.error();
  if (!*finder) return true;
  size_t there = 0, found = 0;
  for (size_t i = 0; i < bodies.size(); ++i) there += bodies.at(i).segment ? 1 : 0;
  std::vector<BodyPlace> places;
  for (size_t at = 0; there > 0;) {
    places.clear();
    Result<size_t> next = (*finder)->part(at, 4096, places);
    if (!next) return next.error();
    for (const BodyPlace& p : places) {
      std::optional<BodyPlace> other = bodies.find(p.name);
      if (!other || other->segment != p.segment || other->offset != p.offset || other->length != p.length) return false;
    }
    found += places.size();
    at = *next;
    if (at == 0) break;
  }
  return found == there && found == (*finder)->size();
}

}  // namespace

Result<bool> snapshot_is_good(Env& env, const std::filesystem::path& path, std::string* wrong) {
  auto bad = [&](const std::string& what) {
    if (wrong) *wrong = what;
    return false;
  };
  Result<SnapshotFile> file = SnapshotFile::open(env, path);
  if (!file && file.error().code == Errc::not_found) return true;
  if (!file && file.error().code != Errc::corrupt) return file.error();
  if (!file) return bad(file.error().note);
  for (const auto& [key, slot] : file->directory().slots) {
    Result<std::shared_ptr<const Buffer>> section = file->section(slot.section);
    if (!section && section.error().code != Errc::corrupt) return section.error();
    const uint32_t format = file->header().format;
    bool good = section && MailboxSection::decode(*section, key, format, {});
    if (good && format >= 2) {
      Result<std::shared_ptr<const Buffer>> cold = file->cold(slot.section, **section, [](const Sha256&) {});
      if (!cold && cold.error().code != Errc::corrupt) return cold.error();
      good = static_cast<bool>(cold);
    }
    if (!good) {
      return bad("index.snap: mailbox " + std::to_string(key.value));
    }
  }
  Result<BodyTable> bodies = file->bodies();
  if (!bodies && bodies.error().code != Errc::corrupt) return bodies.error();
  if (!bodies) return bad("index.snap: bodies");
  Result<bool> same = finder_says(*file, *bodies);
  if (!same && same.error().code != Errc::corrupt) return same.error();
  if (!same || !*same) return bad("index.snap: finder of bodies");
  return true;
}

Result<CheckReport> check_store(Env& env, const std::filesystem::path& directory, const CheckProgress& progress,
                                Lsn until) {
  return Check(env, directory, progress, until).run();
}

}  // namespace storage
