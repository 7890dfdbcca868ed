// Which frames of the run stay, and as what.
#include <algorithm>

#include "storage/crc32c.h"
#include "storage/rewrite_impl.h"

namespace storage {

// Reads, or with a writer copies, about `bytes` more of the run. False: all of it.
Result<bool> Rewrite::Impl::walk(uint64_t bytes) {
  Result<bool> more = walk_on(bytes);
  if (!more && more.error().code == Errc::corrupt && at_ < run_count_) {
    account_.damaged_segments().insert({run_first_[at_].name.first, run_first_[at_].name.generation});
  }
  return more;
}

Result<bool> Rewrite::Impl::walk_on(uint64_t bytes) {
  for (uint64_t done = 0; done < bytes; done += cursor_ ? cursor_->take_read() : 0) {
    if (at_ == run_count_) return false;
    const Candidate& c = run_first_[at_];
    if (!cursor_) {
      Result<std::shared_ptr<File>> file = account_.files().open(c.name.first, c.name.generation);
      if (!file) return file.error();
      Result<FrameCursor> opened = FrameCursor::open(*file, c.name, c.last);
      if (!opened) return opened.error();
      cursor_ = std::move(*opened);
      next_kept_ = 0;
      if (!writer_) total_bytes_ += c.size;
    }
    if (checking_) {
      Result<std::span<const uint8_t>> piece = cursor_->piece();
      if (!piece) return piece.error();
      if (!piece->empty()) {
        checked_ = crc32c(*piece, checked_);
        continue;
      }
      checking_ = false;
      if (checked_ != cursor_->frame().payload_crc) {
        return Failure(Errc::corrupt, "a damaged segment is not rewritten");
      }
    }
    if (in_body_) {
      Result<std::span<const uint8_t>> piece = cursor_->piece();
      if (!piece) return piece.error();
      if (!piece->empty()) {
        if (Result<void> r = writer_->put(*piece); !r) return r.error();
        continue;
      }
      in_body_ = false;
      if (Result<void> r = writer_->end(); !r) return r.error();
      if (cursor_->frame().flags & last_of_batch) {
        if (Result<void> r = writer_->end_batch(); !r) return r.error();
      }
    }
    Result<bool> there = cursor_->next();
    if (!there) return there.error();
    if (!*there) {
      if (Result<void> r = write_waiting(); !r) return r.error();
      cursor_.reset();
      ++at_;
      continue;
    }
    if (Result<void> r = frame(c); !r) return r.error();
  }
  return true;
}

// Decides on the frame under the cursor.
Result<void> Rewrite::Impl::frame(const Candidate& c) {
  const FrameHeader& h = cursor_->frame();
  Kept kept;
  bool in_letter = false;
  const bool streamed = h.kind == FrameKind::body && h.version != letter_version;
  if (streamed) {
    kept.body = kept_here(c);
    kept.whole = kept.body != nullptr;
    // One that the index does not know here lies elsewhere as well, or it is damaged: then it is left for repair.
    if (!kept.whole && !writer_ && !std::binary_search(c.dead_at.begin(), c.dead_at.end(), cursor_->offset())) {
      checking_ = true;
      checked_ = 0;
    }
  } else {
    Result<std::span<const uint8_t>> payload = cursor_->payload();
    if (!payload) return payload.error();
    Result<Kept> decided = decide(c, *payload);
    if (!decided) return decided.error();
    kept = std::move(*decided);
    if (writer_ && kept.message) {
      Result<bool> joined = join_waiting(*kept.message, *payload);
      if (!joined) return joined.error();
      in_letter = *joined;
    }
    if (writer_ && !in_letter) {
      if (Result<void> r = write_waiting(); !r) return r;
      if (Result<void> r = write(kept, *payload); !r) return r;
    }
  }
  const bool filler = h.kind == FrameKind::checkpoint && h.lsn == c.last;  // it would only be written again
  if (!kept.any() && !filler) dead_bytes_ += frame_header_size + h.length;
  if (!writer_) return {};
  if (streamed) {
    if (Result<void> r = write_waiting(); !r) return r;
  }
  if (streamed && kept.whole && becomes_letter(h)) {
    Result<bool> taken = take_for_letter(*kept.body);
    if (!taken) return taken.error();
    if (*taken) {
      if (!(h.flags & last_of_batch)) return {};
      if (Result<void> r = write_waiting(); !r) return r;
      return writer_->end_batch();
    }
  }
  if (streamed && kept.whole) {
    Result<uint64_t> at = writer_->begin(h);
    if (!at) return at.error();
    moved_.push_back({*kept.body, *at, h.length});
    in_body_ = true;
    return {};  // its batch ends with it, if at all
  }
  bool last = at_ + 1 == run_count_ && h.lsn == c.last;
  if (!kept.any() && last) {
    if (Result<void> r = writer_->add_filler(h); !r) return r.error();
  }
  if (h.flags & last_of_batch) {
    if (Result<void> r = writer_->end_batch(); !r) return r.error();
  }
  return {};
}

// The body under the cursor, where something uses it.
const BodyPlace* Rewrite::Impl::kept_here(const Candidate& c) {
  while (next_kept_ < c.kept.size() && c.kept[next_kept_].offset < cursor_->offset()) ++next_kept_;
  if (next_kept_ == c.kept.size() || c.kept[next_kept_].offset != cursor_->offset()) return nullptr;
  return &c.kept[next_kept_];
}

// Of any frame that is read whole: what of it stays.
Result<Rewrite::Impl::Kept> Rewrite::Impl::decide(const Candidate& c, std::span<const uint8_t> payload) {
  const FrameHeader& h = cursor_->frame();
  Kept kept;
  auto needed = [&](const record::Op& op) {
    const bool first = keywords_.first_with(live_, op);
    return live_.needs(op) || first;
  };
  if (h.kind == FrameKind::messages) {
    Result<std::vector<record::Op>> ops = record::decode_all(h, payload);
    if (!ops) return ops.error();
    std::vector<bool> stays;
    for (const record::Op& op : *ops) stays.push_back(needed(op));
    const auto n = static_cast<size_t>(std::count(stays.begin(), stays.end(), true));
    kept.whole = n > 0 && n == stays.size();
    if (n == 0 || kept.whole) return kept;
    size_t at = 0;
    kept.instead.emplace();
    kept.instead->header = h;
    Result<size_t> done =
        record::filter_messages(kept.instead->payload, payload, [&](const record::Op&) { return stays[at++]; });
    if (!done) return done.error();
    kept.instead->header.length = static_cast<uint32_t>(kept.instead->payload.size());
    kept.instead->header.payload_crc = crc32c(kept.instead->payload.bytes());
    return kept;
  }
  if (h.kind != FrameKind::body) {
    Result<record::Op> op = record::decode(h, payload);
    if (!op) return op.error();
    kept.whole = needed(*op);
    if (kept.whole && h.kind == FrameKind::message) kept.message = std::move(*op);
    return kept;
  }
  Result<BodyFrame> letter = read_body_frame(h, payload);
  if (!letter) return letter.error();
  kept.record = letter->part && needed(*letter->part);
  kept.body = kept_here(c);
  kept.whole = kept.body != nullptr;
  if (kept.whole || !kept.record) return kept;
  Result<Letter> head = Letter::decode(payload);
  if (!head) return head.error();
  kept.instead = record_alone(h, *head);
  return kept;
}

Result<void> Rewrite::Impl::write(const Kept& kept, std::span<const uint8_t> payload) {
  const FrameHeader& h = cursor_->frame();
  if (kept.instead) {
    Result<uint64_t> at = writer_->add(kept.instead->header, kept.instead->payload.bytes());
    return at ? Result<void>() : Result<void>(at.error());
  }
  if (!kept.whole) return {};
  if (kept.body == nullptr) {
    Result<uint64_t> at = writer_->add(h, payload);
    if (!at) return at.error();
    if (h.kind != FrameKind::dictionary) return {};
    uint32_t id = 0;
    if (Result<std::vector<uint8_t>> bytes = decode_dictionary(payload, id); !bytes) return bytes.error();
    moved_dictionaries_.push_back({id, writer_->name().first, writer_->name().generation, *at, h.length});
    return {};
  }
  Result<Letter> letter = Letter::decode(payload);
  if (!letter) return letter.error();
  const Dictionary* dictionary = letter->size < dictionary_limit ? dictionary_.get() : nullptr;
  // What was packed before is not packed better by trying again.
  const int level = packing_ && !run_first_[at_].packed ? level_of_rewriting : 0;
  Result<Buffer> packed = repack_letter(payload, kept.record, *account_.bodies().dictionaries(), dictionary, level);
  if (!packed) return packed.error();
  FrameHeader header = h;
  header.length = static_cast<uint32_t>(packed->size());
  header.payload_crc = crc32c(packed->bytes());
  Result<uint64_t> at = writer_->add(header, packed->bytes());
  if (!at) return at.error();
  moved_.push_back({*kept.body, *at, header.length});
  return {};
}

}  // namespace storage
