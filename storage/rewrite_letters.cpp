// What a rewrite makes of bodies of format 1: letters, each with the record of the message that came next to it.
#include <algorithm>

#include "storage/crc32c.h"
#include "storage/rewrite_impl.h"

namespace storage {

// A body of format 1 that a letter can hold. Where packed already, it was left as it is for a reason.
bool Rewrite::Impl::becomes_letter(const FrameHeader& h) const {
  return packing_ && !run_first_[at_].packed && h.kind == FrameKind::body && h.version == frame_version &&
         h.length <= BodyHead::fixed_size + 8 + body_block_size;
}

// False: it stays as it is.
Result<bool> Rewrite::Impl::take_for_letter(const BodyPlace& body) {
  Result<std::span<const uint8_t>> payload = cursor_->payload();
  if (!payload) return payload.error();
  std::optional<LooseLetter> letter = letter_of(*payload, dictionary_.get(), level_of_rewriting);
  if (!letter || letter->head.name != body.name) return false;
  waiting_.emplace(Waiting{cursor_->frame(), &body, std::move(*letter)});
  return true;
}

// Whether the message under the cursor is now in one frame with the body that waits.
Result<bool> Rewrite::Impl::join_waiting(const record::Op& op, std::span<const uint8_t> payload) {
  const auto* m = std::get_if<record::Message>(&op);
  if (!waiting_ || m == nullptr || m->info.body != waiting_->letter.head.name) return false;
  // Nothing that this build does not know of may get lost.
  Buffer same, record;
  record::encode(same, op);
  if (!std::equal(same.bytes().begin(), same.bytes().end(), payload.begin(), payload.end())) return false;
  record.put_varint(m->mailbox.value);
  record::encode_compact(record, *m, Uid(0), false);
  if (record.size() > Letter::max_record) return false;
  waiting_->letter.head.part = Letter::Part::message;
  waiting_->letter.head.record = record.bytes();
  waiting_->header = cursor_->frame();  // its LSN is the later one: the batch ends there
  if (Result<void> r = write_waiting(); !r) return r.error();
  return true;
}

Result<void> Rewrite::Impl::write_waiting() {
  if (!waiting_) return {};
  const Waiting w = std::move(*waiting_);
  waiting_.reset();
  Buffer payload;
  w.letter.head.encode(payload);
  payload.put_bytes(w.letter.block.bytes());
  FrameHeader header = w.header;
  header.kind = FrameKind::body;
  header.version = letter_version;
  header.length = static_cast<uint32_t>(payload.size());
  header.payload_crc = crc32c(payload.bytes());
  Result<uint64_t> at = writer_->add(header, payload.bytes());
  if (!at) return at.error();
  moved_.push_back({*w.body, *at, header.length});
  return {};
}

}  // namespace storage
