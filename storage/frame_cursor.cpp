#include "storage/frame_cursor.h"

#include <algorithm>

#include "storage/crc32c.h"

namespace storage {
namespace {

constexpr size_t window = 256u << 10;

Failure damaged() { return Failure(Errc::corrupt, "a damaged segment is not rewritten"); }

}  // namespace

Result<FrameCursor> FrameCursor::open(std::shared_ptr<const File> file, const SegmentName& name, Lsn last) {
  FrameCursor c;
  c.file_ = std::move(file);
  c.name_ = name;
  c.expected_ = name.first;
  c.last_ = last;
  Result<uint64_t> size = c.file_->size();
  if (!size) return size.error();
  c.size_ = *size;
  c.window_ = FileWindow(c.file_, *size, window);
  uint8_t bytes[segment_header_size];
  Result<size_t> n = c.file_->read_at(0, bytes);
  if (!n) return n.error();
  std::optional<SegmentHeader> h = SegmentHeader::decode({bytes, *n});
  if (!h || h->first != name.first) return damaged();
  if ((h->incompatible & ~known_incompatible) || (h->read_compatible & ~known_read_compatible)) {
    return Failure(Errc::unsupported, "segment of a later version");
  }
  c.segment_ = *h;
  c.next_ = segment_header_size;
  return c;
}

Result<bool> FrameCursor::next() {
  offset_ = next_;
  if (offset_ == size_) {
    if (expected_ <= last_) return damaged();
    return false;
  }
  Result<std::span<const uint8_t>> bytes = window_.fill(offset_, frame_header_size);
  if (!bytes) return bytes.error();
  std::optional<FrameHeader> h = FrameHeader::decode(*bytes, segment_.salt);
  if (!h || h->length > size_ - offset_ - frame_header_size) return damaged();
  bool in_order = name_.generation > 0 ? h->lsn >= expected_ : h->lsn == expected_;
  if (!in_order || h->lsn > last_) return damaged();
  frame_ = *h;
  expected_ = h->lsn.next();
  next_ = offset_ + frame_header_size + h->length;
  piece_at_ = offset_ + frame_header_size;
  return true;
}

Result<std::span<const uint8_t>> FrameCursor::payload() {
  Result<std::span<const uint8_t>> bytes = window_.fill(offset_, frame_header_size + frame_.length);
  if (!bytes) return bytes;
  if (bytes->size() < frame_header_size + frame_.length) return damaged();
  std::span<const uint8_t> p = bytes->subspan(frame_header_size, frame_.length);
  if (crc32c(p) != frame_.payload_crc) return damaged();
  return p;
}

Result<std::span<const uint8_t>> FrameCursor::piece() {
  if (piece_at_ >= next_) return std::span<const uint8_t>();
  Result<std::span<const uint8_t>> bytes = window_.fill(piece_at_, 1);
  if (!bytes) return bytes;
  if (bytes->empty()) return damaged();
  std::span<const uint8_t> p = bytes->first(static_cast<size_t>(std::min<uint64_t>(bytes->size(), next_ - piece_at_)));
  piece_at_ += p.size();
  return p;
}

}  // namespace storage
