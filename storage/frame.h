// The bytes of a segment: its header, frame headers, and its file name (docs/storage-format.md). Values only; no I/O.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "storage/types.h"

namespace storage {

enum class FrameKind : uint8_t {  // on disk: never renumber
  message = 1,
  body = 2,
  body_link = 3,
  flags = 4,
  expunge = 5,
  mailbox = 6,
  subscription = 7,
  annotation = 8,  // reserved; read over
  cursor = 9,
  epoch = 10,
  checkpoint = 11,
  messages = 12,    // format 2: several, of one mailbox
  dictionary = 13,  // format 2
};

enum FrameFlag : uint8_t {
  last_of_batch = 1,
  ignorable = 2,  // a reader that does not know the kind may go on
};

constexpr uint8_t frame_version = 1;   // of the payload; one format has frames of both
constexpr uint8_t letter_version = 2;  // of a body frame: storage/letter.h
constexpr size_t frame_header_size = 48;
constexpr size_t max_record_size = 16u << 20;  // payload of any frame but a body
constexpr uint64_t max_body_size = uint64_t{2} << 30;
constexpr uint64_t max_body_payload = max_body_size + (1u << 20);
constexpr size_t max_letter_payload = (256u << 10) + (64u << 10);

struct FrameHeader {
  uint8_t version = frame_version;
  FrameKind kind{};
  uint8_t flags = 0;
  uint32_t length = 0;  // of the payload that follows
  Lsn lsn;
  Lsn synced;
  Epoch epoch;
  uint32_t payload_crc = 0;

  void encode(uint8_t* out, uint64_t salt) const;  // frame_header_size bytes
  // Nothing unless magic, checksum and length say that this is a frame of this segment.
  static std::optional<FrameHeader> decode(std::span<const uint8_t> bytes, uint64_t salt);
};

// Builds that know only format 1 cannot read it.
inline bool in_format_2(const FrameHeader& h) {
  return h.version > frame_version || h.kind == FrameKind::messages || h.kind == FrameKind::dictionary;
}

// What the first 8 bytes of a frame are in a segment with this salt: nothing that arrives by mail can know it.
uint64_t frame_magic(uint64_t salt);

// What an account is written as. A segment of format 2 may hold what builds that know only 1 cannot read.
constexpr uint32_t newest_format = 2;
constexpr uint64_t feature_format_2 = 1;  // incompatible

using AccountId = std::array<uint8_t, 16>;
constexpr size_t segment_header_size = 128;

struct SegmentHeader {
  uint32_t version = 1;
  uint64_t salt = 0;
  Lsn first, last;  // last: 0 in a segment that is or was appended to
  uint32_t generation = 0;
  uint64_t compatible = 0, read_compatible = 0, incompatible = 0;
  int64_t created = 0;  // seconds since 1970
  Lsn needs;            // of a rewritten segment: it was made from the state at this LSN, so the log must reach it
  AccountId account{};
  uint8_t packed = 0;  // of a rewritten segment: the level at which its letters were compressed again; 0: as they came

  std::array<uint8_t, segment_header_size> encode() const;
  static std::optional<SegmentHeader> decode(std::span<const uint8_t> bytes);
  uint32_t format() const { return incompatible & feature_format_2 ? 2 : 1; }
};

// Feature bits this build understands.
constexpr uint64_t known_incompatible = feature_format_2, known_read_compatible = 0;

// "<first>-<last>-<generation>.log", 16, 16 and 4 hex digits; last is "open" where frames are appended. A rewritten
// segment names its range, since what it replaces is decided by the names alone.
struct SegmentName {
  Lsn first, last;  // last 0: open
  uint32_t generation = 0;
  bool operator==(const SegmentName&) const = default;

  std::string text() const;
  static std::optional<SegmentName> parse(std::string_view text);
};

}  // namespace storage
