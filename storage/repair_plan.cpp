#include "storage/repair_plan.h"

#include <algorithm>

#include "storage/body_reader.h"

namespace storage {
namespace {

class Planner {
 public:
  Planner(SegmentFiles& files, const CheckProgress& progress, RepairPlan& plan)
      : files_(files), progress_(progress), plan_(plan) {}

  Result<void> operator()(std::span<const LogFrame> frames);
  Result<void> finish(const LogScan& scan);
  std::map<Lsn, SegmentPlan> by_first;
  uint64_t total = 0;

 private:
  Result<PlannedFrame> plan(const LogFrame& frame);
  Result<bool> body_is_whole(const LogFrame& frame);
  Result<bool> body_is_whole(const BodyPlace& place);
  Result<void> bodies_that_waited();

  struct Later {
    BodyPlace place;
    size_t frame;  // of its segment's
    uint32_t dictionary;
  };
  SegmentFiles& files_;
  const CheckProgress& progress_;
  RepairPlan& plan_;
  Buffer piece_;
  uint64_t done_ = 0;
  std::vector<Later> later_;
};

// A frame's checksum held; whether its blocks give the bytes that it is named after is another question.
Result<bool> Planner::body_is_whole(const BodyPlace& place) {
  Result<std::shared_ptr<File>> file = files_.open(place.segment, place.generation);
  if (!file) return file.error();
  Result<StoredBody> reader = StoredBody::open(*file, place, nullptr, plan_.bodies.dictionaries());
  if (!reader && reader.error().code == Errc::corrupt) return false;
  if (!reader) return reader.error();
  Sha256Hasher hasher;
  piece_.resize(body_block_size);
  for (uint64_t at = 0; at < reader->size();) {
    Result<size_t> n = reader->read(at, {piece_.data(), piece_.size()});
    if (!n && n.error().code != Errc::corrupt) return n.error();
    if (!n || *n == 0) return false;
    hasher.update(piece_.bytes(0, *n));
    at += *n;
  }
  return hasher.finish() == place.name;
}

Result<bool> Planner::body_is_whole(const LogFrame& f) {
  if (f.damaged) return false;
  Result<BodyFrame> head = read_body_frame(f.header, f.payload);
  if (!head && head.error().code == Errc::unsupported) return head.error();
  if (!head) return false;
  const BodyPlace place{head->name, f.segment, f.generation, f.offset, f.header.length};
  if (head->dictionary != 0 && !plan_.bodies.dictionaries()->get(head->dictionary)) {
    later_.push_back({place, by_first[f.segment].frames.size(), head->dictionary});
    return true;
  }
  return body_is_whole(place);
}

// Letters of rewritten segments may need a dictionary that lies behind them.
Result<void> Planner::bodies_that_waited() {
  for (const Later& l : later_) {
    // Without its dictionary it cannot be read today; its bytes are what they were.
    if (!plan_.bodies.dictionaries()->get(l.dictionary)) continue;
    Result<bool> whole = body_is_whole(l.place);
    if (!whole) return whole.error();
    if (*whole) continue;
    SegmentPlan& segment = by_first[l.place.segment];
    PlannedFrame& frame = segment.frames[l.frame];
    Result<std::shared_ptr<File>> file = files_.open(l.place.segment, l.place.generation);
    if (!file) return file.error();
    Buffer payload;
    payload.resize(l.place.length);
    Result<size_t> n = (*file)->read_at(l.place.offset + frame_header_size, {payload.data(), payload.size()});
    if (!n) return n.error();
    Result<Letter> letter = Letter::decode(payload.bytes(0, *n));
    std::optional<LoneRecord> alone = letter ? record_alone(frame.header, *letter) : std::nullopt;
    if (alone) {
      frame.instead = std::make_shared<const LoneRecord>(std::move(*alone));
      ++segment.cut_short;
    } else {
      frame.keep = false;  // no end of a batch is lost with it: end_batch() goes by what is kept
      ++segment.dropped;
    }
  }
  return {};
}

Result<PlannedFrame> Planner::plan(const LogFrame& f) {
  PlannedFrame planned{f.offset, f.header, true, nullptr};
  LogFrame stays = f;
  if (f.header.kind == FrameKind::body) {
    Result<bool> whole = body_is_whole(f);
    if (!whole) return whole.error();
    if (!*whole) {
      planned.keep = false;
      if (f.header.version != letter_version) return planned;
      Result<Letter> letter = Letter::decode(f.payload);
      std::optional<LoneRecord> alone = letter ? record_alone(f.header, *letter) : std::nullopt;
      if (!alone) return planned;
      planned.instead = std::make_shared<const LoneRecord>(std::move(*alone));
      stays.damaged = false;
      stays.header = planned.instead->header;
      stays.payload = planned.instead->payload.bytes();
    }
  }
  Replayer one(plan_.state, plan_.bodies, 1);
  if (Result<void> r = one({&stays, 1}); !r) return r.error();
  planned.keep = one.damage().empty();
  return planned;
}

Result<void> Planner::operator()(std::span<const LogFrame> frames) {
  SegmentPlan& segment = by_first[frames.front().segment];
  const size_t before = segment.frames.size();
  size_t last = SIZE_MAX;
  for (const LogFrame& f : frames) {
    done_ += frame_header_size + f.header.length;
    Result<PlannedFrame> planned = plan(f);
    if (!planned) return planned.error();
    if (planned->keep) last = segment.frames.size();
    if (!planned->keep) ++segment.dropped;
    if (planned->instead) ++segment.cut_short;
    segment.frames.push_back(std::move(*planned));
  }
  for (size_t i = before; i < segment.frames.size(); ++i) {
    uint8_t& flags = segment.frames[i].header.flags;
    flags = static_cast<uint8_t>(i == last ? flags | last_of_batch : flags & ~last_of_batch);
  }
  if (progress_ && !progress_(done_, total)) return Failure(Errc::unavailable, "the repair was stopped");
  return {};
}

Result<void> Planner::finish(const LogScan& scan) {
  if (Result<void> r = bodies_that_waited(); !r) return r;
  plan_.account = scan.account();
  if (scan.torn()) {
    plan_.torn = scan.end();
    plan_.torn_bytes = scan.torn_bytes();
  }
  Lsn expected(1);
  for (size_t s = 0; s < scan.segments().size(); ++s) {
    if (plan_.torn && (s > plan_.torn->segment || (s == plan_.torn->segment && plan_.torn->offset == 0))) break;
    SegmentPlan plan = std::move(by_first[scan.segments()[s].first]);
    plan.name = scan.segments()[s];
    Result<std::shared_ptr<File>> file = files_.open(plan.name.first, plan.name.generation);
    if (!file) return file.error();
    Result<uint64_t> size = (*file)->size();
    if (!size) return size.error();
    plan.size = plan_.torn && s == plan_.torn->segment ? std::min(plan_.torn->offset, *size) : *size;
    uint8_t bytes[segment_header_size];
    Result<size_t> n = (*file)->read_at(0, bytes);
    if (!n) return n.error();
    std::optional<SegmentHeader> header = SegmentHeader::decode({bytes, *n});
    plan.header_good = header && header->first == plan.name.first && header->account == plan_.account;
    if (header) plan.salt = header->salt;
    if (plan.header_good) plan.needs = header->needs;
    if (expected < plan.name.first) {
      plan_.missing.emplace_back(expected, Lsn(plan.name.first.value - 1));
      plan_.lost.push_back(plan_.missing.back());
    }
    expected = std::max(expected, plan.name.first);
    uint64_t at = segment_header_size;
    for (const PlannedFrame& f : plan.frames) {
      const bool gap = f.offset > at;
      if (gap) plan.bad.emplace_back(at, f.offset);
      at = f.offset + frame_header_size + f.header.length;
      // In a rewritten segment LSNs are missing by design, but for where bytes are bad.
      if (f.header.lsn > expected && (gap || plan.name.generation == 0)) {
        plan_.lost.emplace_back(expected, Lsn(f.header.lsn.value - 1));
      }
      expected = f.header.lsn.next();
    }
    if (plan.size > at) {
      plan.bad.emplace_back(at, plan.size);
      const bool last = s + 1 == scan.segments().size() || plan_.torn.has_value();
      Lsn upto = last ? Lsn(scan.next().value - 1) : Lsn(scan.segments()[s + 1].first.value - 1);
      if (plan.name.last) upto = plan.name.last;
      // At the very end nobody can say how many frames it were: at least the next.
      plan_.lost.emplace_back(expected, std::max(upto, expected));
      expected = std::max(expected, upto.next());
    }
    if (plan.name.last) expected = std::max(expected, plan.name.last.next());
    plan_.segments.push_back(std::move(plan));
  }
  if (!plan_.torn && expected <= scan.needs()) {
    plan_.missing.emplace_back(expected, scan.needs());
    plan_.lost.push_back(plan_.missing.back());
  }
  plan_.end = Lsn(std::max(expected.value, scan.next().value) - 1);
  return {};
}

}  // namespace

Result<void> plan_repair(Env& env, SegmentFiles& files, const CheckProgress& progress, RepairPlan& plan) {
  Result<std::vector<SegmentName>> segments = list_segments(env, files.directory());
  if (!segments) return segments.error();
  if (segments->empty()) return Failure(Errc::not_found, "no such store");
  Planner planner(files, progress, plan);
  plan.bodies.dictionaries()->set_files(
      [&files](Lsn first, uint32_t generation) { return files.open(first, generation); });
  for (const SegmentName& s : *segments) {
    files.add(s);
    Result<std::shared_ptr<File>> file = files.open(s.first, s.generation);
    if (!file) return file.error();
    Result<uint64_t> size = (*file)->size();
    if (!size) return size.error();
    planner.total += *size;
  }
  LogScan scan(env, files.directory(), *segments, true);
  LogScan::OnBatch on_batch = [&](std::span<const LogFrame> frames) { return planner(frames); };
  if (Result<void> r = scan.run({}, Lsn(1), Lsn(0), on_batch); !r) return r;
  return planner.finish(scan);
}

}  // namespace storage
