#include <algorithm>

#include "storage/body_codec.h"
#include "storage/crc32c.h"
#include "storage/letter.h"
#include "storage/log_scan.h"

namespace storage {
namespace {

constexpr size_t buffer_size = 1u << 20;

}  // namespace

SegmentReader::SegmentReader(std::shared_ptr<const File> file, uint64_t size, uint64_t salt)
    : size_(size), salt_(salt), window_(std::move(file), size, buffer_size) {}

Result<SegmentReader::Got> SegmentReader::read(uint64_t offset) {
  offset_ = offset;
  payload_ = {};
  if (offset >= size_) return Got::end;
  Result<std::span<const uint8_t>> bytes = window_.fill(offset, frame_header_size);
  if (!bytes) return bytes.error();
  std::optional<FrameHeader> h = FrameHeader::decode(*bytes, salt_);
  if (!h) return Got::bad_header;
  header_ = *h;
  if (header_.length > size_ - offset - frame_header_size) return Got::bad_header;  // cut short: the rest is not there
  uint64_t at = offset + frame_header_size;
  const bool letter = header_.kind == FrameKind::body && header_.version == letter_version;
  if (header_.kind != FrameKind::body || letter) {
    bytes = window_.fill(offset, frame_header_size + header_.length);
    if (!bytes) return bytes.error();
    if (bytes->size() < frame_header_size + header_.length) return Got::bad_header;
    payload_ = bytes->subspan(frame_header_size, header_.length);
    const bool whole = crc32c(payload_) == header_.payload_crc;
    if (letter) {
      Result<Letter> head = Letter::decode(payload_);
      if (head) payload_ = payload_.first(head->head);
      if (!whole && !head) payload_ = {};
    }
    if (!whole) return Got::bad_payload;
    return Got::frame;
  }
  // A body may be larger than memory: its checksum is taken in pieces, the head is looked at last.
  uint32_t crc = 0;
  for (uint64_t left = header_.length; left > 0;) {
    bytes = window_.fill(at, 1);
    if (!bytes) return bytes.error();
    if (bytes->empty()) return Got::bad_header;
    auto n = static_cast<size_t>(std::min<uint64_t>(bytes->size(), left));
    crc = crc32c(bytes->first(n), crc);
    at += n;
    left -= n;
  }
  if (crc != header_.payload_crc) return Got::bad_payload;
  at = offset + frame_header_size;
  bytes = window_.fill(at, std::min<size_t>(header_.length, BodyHead::fixed_size));
  if (!bytes) return bytes.error();
  size_t head = std::min<size_t>(BodyHead::length(*bytes), header_.length);
  bytes = window_.fill(at, head);
  if (!bytes) return bytes.error();
  payload_ = bytes->first(std::min(bytes->size(), head));
  return Got::frame;
}

Result<uint64_t> SegmentReader::find_header(uint64_t after) {
  uint8_t magic[8];
  store_le<uint64_t>(magic, frame_magic(salt_));
  for (uint64_t at = after + 1; at + frame_header_size <= size_;) {
    Result<std::span<const uint8_t>> bytes = window_.fill(at, frame_header_size);
    if (!bytes) return bytes.error();
    if (bytes->size() < frame_header_size) break;
    auto found = std::search(bytes->begin(), bytes->end(), std::begin(magic), std::end(magic));
    auto skip = static_cast<uint64_t>(found - bytes->begin());
    if (found == bytes->end()) {
      at += bytes->size() - 7;  // a magic may straddle two fills
      continue;
    }
    at += skip;
    bytes = window_.fill(at, frame_header_size);
    if (!bytes) return bytes.error();
    if (FrameHeader::decode(*bytes, salt_)) return at;
    ++at;
  }
  return size_;
}

}  // namespace storage
