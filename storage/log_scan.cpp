#include "storage/log_scan.h"

#include <algorithm>

namespace storage {

LogScan::LogScan(Env& env, std::filesystem::path log, std::vector<SegmentName> segments, bool writing)
    : env_(env), log_(std::move(log)), segments_(std::move(segments)), writing_(writing) {}

std::string LogScan::where(LogPosition at) const {
  return segments_[at.segment].text() + " at " + std::to_string(at.offset);
}

void LogScan::lost(Lsn first, Lsn last, const char* what, LogPosition at) {
  std::string text = what;
  if (first < last) text += ", LSN " + std::to_string(first.value) + " to " + std::to_string(last.value);
  damage_.push_back({std::move(text), where(at), first});
}

Result<LogScan::Opened> LogScan::open(size_t segment) {
  const SegmentName& name = segments_[segment];
  Result<std::unique_ptr<File>> file = open_segment(env_, log_, name);
  if (!file) return file.error();
  Opened o;
  o.file = std::move(*file);
  Result<uint64_t> size = o.file->size();
  if (!size) return size.error();
  o.size = *size;
  uint8_t bytes[segment_header_size + frame_header_size];
  Result<size_t> got = o.file->read_at(0, bytes);
  if (!got) return got.error();
  std::span<const uint8_t> have(bytes, *got);
  o.header = SegmentHeader::decode(have);
  if (o.header) {
    if ((o.header->incompatible & ~known_incompatible) ||
        (writing_ && (o.header->read_compatible & ~known_read_compatible))) {
      return Failure(Errc::unsupported, "log of a later version", name.text());
    }
    format_ = std::max(format_, o.header->format());
    bool ours = o.header->first == name.first && (!have_account_ || o.header->account == account_);
    if (!ours) o.header.reset();
  } else if (have.size() == sizeof bytes) {
    // The salt is in every frame's first bytes: a damaged header costs no mail.
    SegmentHeader h;
    h.salt = load_le<uint64_t>(bytes + segment_header_size) ^ frame_magic(0);
    h.first = name.first;
    h.last = name.last;
    h.generation = name.generation;
    h.account = account_;
    if (FrameHeader::decode(have.subspan(segment_header_size), h.salt)) {
      o.header = h;
      o.mended = true;
    }
  }
  if (o.header && !o.mended && !have_account_) {
    account_ = o.header->account;
    have_account_ = true;
  }
  return o;
}

Result<void> LogScan::check_features(size_t segment) {
  Result<Opened> o = open(segment);
  return o ? Result<void>() : Result<void>(o.error());
}

// Corruption if a frame behind `bad` says that it was durable: no write can have torn what lies before.
Result<bool> LogScan::is_torn(LogPosition bad) {
  if (synced_ >= expected_) return false;
  if (!synced_later_) {
    synced_later_ = Lsn(0);
    for (size_t s = bad.segment; s < segments_.size(); ++s) {
      Result<Opened> o = open(s);
      if (!o) return o.error();
      // What was rewritten was durable before, and so was the state that it was made from.
      synced_later_ = std::max(*synced_later_, segments_[s].last);
      if (!o->header) continue;
      if (segments_[s].last) synced_later_ = std::max(*synced_later_, o->header->needs);
      SegmentReader reader(o->file, o->size, o->header->salt);
      uint64_t at = s == bad.segment && bad.offset >= segment_header_size ? bad.offset : segment_header_size - 1;
      while (true) {
        Result<uint64_t> found = reader.find_header(at);
        if (!found) return found.error();
        if (*found == reader.size()) break;
        Result<SegmentReader::Got> got = reader.read(*found);
        if (!got) return got.error();
        bool whole = *got == SegmentReader::Got::frame || *got == SegmentReader::Got::bad_payload;
        if (whole) synced_later_ = std::max(*synced_later_, reader.header().synced);
        at = whole ? reader.next() - 1 : *found;
      }
    }
  }
  return *synced_later_ < expected_;
}

Result<void> LogScan::flush() {
  if (pending_.empty()) return {};
  for (size_t i = 0; i < pending_.size(); ++i) {
    pending_[i].payload = pending_bytes_.bytes(pending_at_[i], pending_[i].payload.size());
  }
  Result<void> r = (*on_batch_)(pending_);
  pending_.clear();
  pending_at_.clear();
  pending_bytes_.clear();
  return r;
}

void LogScan::keep(size_t segment, const SegmentReader& reader, uint64_t offset, bool damaged) {
  pending_at_.push_back(pending_bytes_.size());
  pending_bytes_.put_bytes(reader.payload());
  pending_.push_back(
      {reader.header(), segments_[segment].first, segments_[segment].generation, offset, reader.payload(), damaged});
}

Result<void> LogScan::cut(LogPosition at) {
  if (!pending_.empty()) {
    // The batch went on to what is cut: it never happened.
    expected_ = pending_.front().header.lsn;
    at.offset = pending_.front().offset;
    frames_ -= pending_.size();
    pending_.clear();
    pending_at_.clear();
    pending_bytes_.clear();
  }
  while (!unsynced_.empty() && unsynced_.back().first >= expected_) unsynced_.pop_back();
  end_ = at;
  torn_ = true;
  for (size_t s = at.segment; s < segments_.size(); ++s) {
    Result<std::unique_ptr<File>> file = open_segment(env_, log_, segments_[s]);
    if (!file) return file.error();
    Result<uint64_t> size = (*file)->size();
    if (!size) return size.error();
    torn_bytes_ += *size - (s == at.segment ? std::min(at.offset, *size) : 0);
  }
  return {};
}

Result<void> LogScan::run(LogPosition from, Lsn expected, Lsn synced, const OnBatch& on_batch) {
  on_batch_ = &on_batch;
  expected_ = expected;
  synced_ = synced;
  end_ = from;
  bool stop = false;
  for (size_t s = from.segment; s < segments_.size() && !stop; ++s) {
    if (Result<void> r = scan_segment(s, s == from.segment ? from.offset : 0, stop); !r) return r;
  }
  if (!stop && !segments_.empty() && expected_ <= needs_) {
    // What a rewritten segment left out, it left out because of frames that are not here.
    lost(expected_, needs_, "frames missing at the end of the log", end_);
    expected_ = needs_.next();
  }
  return {};
}

Result<void> LogScan::scan_segment(size_t s, uint64_t offset, bool& stop) {
  Result<Opened> o = open(s);
  if (!o) return o.error();
  const SegmentName& name = segments_[s];
  const bool rewritten = name.generation > 0;
  if (rewritten) {
    synced_ = std::max(synced_, name.last);
    if (o->header) synced_ = std::max(synced_, o->header->needs);
  }
  auto torn_here = [&](LogPosition at) -> Result<bool> {
    if (rewritten) return false;  // it was whole before it had its name
    Result<bool> torn = is_torn(at);
    if (torn && *torn) {
      stop = true;
      if (Result<void> r = cut(at); !r) return r.error();
    }
    return torn;
  };

  if (!o->header || (offset == 0 && name.first != expected_ && name.first > expected_)) {
    // A segment that cannot be read, or one that starts too late: frames are missing before it.
    Result<bool> torn = torn_here({s, 0});
    if (!torn) return torn.error();
    if (*torn) return {};
    if (!o->header) {
      lost(expected_, expected_, "segment that cannot be read", {s, 0});
      return flush();
    }
    lost(expected_, Lsn(name.first.value - 1), "frames missing", {s, 0});
    if (Result<void> r = flush(); !r) return r;
    expected_ = name.first;
  }
  if (o->mended) {
    Result<bool> torn = have_account_ ? is_torn({s, 0}) : Result<bool>(false);
    if (!torn) return torn.error();
    if (*torn) {
      torn_header_ = {s, *o->header};
      torn_bytes_ += segment_header_size;
      o->mended = false;
    } else {
      lost(expected_, expected_, "damaged segment header", {s, 0});
    }
  }
  end_header_ = o->header;
  end_mended_ = o->mended;
  if (rewritten) needs_ = std::max(needs_, o->header->needs);
  auto end_of_rewritten = [&](LogPosition at) {
    // Its last frame always has its last LSN.
    if (!rewritten || expected_ > name.last) return;
    lost(expected_, name.last, "end of a rewritten segment missing", at);
    expected_ = name.last.next();
  };

  SegmentReader reader(o->file, o->size, o->header->salt);
  uint64_t at = std::max<uint64_t>(offset, segment_header_size);
  if (o->size < at) at = o->size;
  end_ = {s, at};
  while (true) {
    Result<SegmentReader::Got> got = reader.read(at);
    if (!got) return got.error();
    using Got = SegmentReader::Got;
    Lsn lsn = reader.header().lsn;
    bool hole_is_fine = rewritten && lsn <= name.last;
    if (*got == Got::end) {
      if (pending_.empty()) {
        end_of_rewritten({s, at});
        break;
      }
      // A batch lies in one segment: its end is missing.
      Result<bool> torn = torn_here({s, at});
      if (!torn) return torn.error();
      if (*torn) return {};
      if (!rewritten || expected_ > name.last) lost(expected_, expected_, "end of a batch missing", {s, at});
      if (Result<void> r = flush(); !r) return r;
      end_of_rewritten({s, at});
      break;
    }
    if (*got == Got::frame && (lsn == expected_ || (lsn > expected_ && hole_is_fine))) {
      const FrameHeader& h = reader.header();
      if (in_format_2(h)) format_ = std::max<uint32_t>(format_, 2);  // also where the header has to be made again
      ++frames_;
      bytes_ += frame_header_size + h.length;
      synced_ = std::max(synced_, h.synced);
      while (!unsynced_.empty() && unsynced_.front().first <= synced_) unsynced_.pop_front();
      if (lsn > synced_) unsynced_.push_back({lsn, {s, at}});
      if (pending_.empty() && (h.flags & last_of_batch)) {
        LogFrame one{h, name.first, name.generation, at, reader.payload()};
        if (Result<void> r = (*on_batch_)({&one, 1}); !r) return r;
      } else {
        keep(s, reader, at, false);
        if (h.flags & last_of_batch) {
          if (Result<void> r = flush(); !r) return r;
        }
      }
      expected_ = lsn.next();
      at = reader.next();
      if (pending_.empty()) end_ = {s, at};
      continue;
    }
    Result<bool> torn = torn_here({s, at});
    if (!torn) return torn.error();
    if (*torn) return {};
    if (*got == Got::bad_payload && (lsn == expected_ || (lsn > expected_ && hole_is_fine))) {
      lost(lsn, lsn, "damaged frame", {s, at});
      const FrameHeader& h = reader.header();
      if (h.kind == FrameKind::body && h.version == letter_version && !reader.payload().empty()) {
        keep(s, reader, at, true);
      }
      if (reader.header().flags & last_of_batch) {
        if (Result<void> r = flush(); !r) return r;
      }
      expected_ = lsn.next();
      at = reader.next();
      end_ = {s, at};
      continue;
    }
    // Go on at the next frame that can be the log's.
    uint64_t from = at;
    if (*got != Got::frame || lsn < expected_) {
      while (true) {
        Result<uint64_t> found = reader.find_header(at);
        if (!found) return found.error();
        at = *found;
        if (at == reader.size()) break;
        got = reader.read(at);
        if (!got) return got.error();
        lsn = reader.header().lsn;
        if (*got != Got::bad_header && lsn >= expected_) break;
      }
    }
    if (Result<void> r = flush(); !r) return r;
    if (at == reader.size()) {
      if (!rewritten || expected_ > name.last) lost(expected_, expected_, "damaged end of a segment", {s, from});
      end_of_rewritten({s, from});
      end_ = {s, at};
      break;
    }
    if (lsn > expected_) {
      lost(expected_, Lsn(lsn.value - 1), "damaged frames", {s, from});
      expected_ = lsn;
    } else {
      lost(expected_, expected_, "bytes that are no frame", {s, from});
    }
    end_ = {s, at};
  }
  return {};
}

}  // namespace storage
