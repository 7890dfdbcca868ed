#include "storage/frame.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "storage/coding.h"
#include "storage/crc32c.h"

namespace storage {
namespace {

constexpr uint64_t magic = 0x31454d4152464c46;  // "FLFRAME1"
constexpr std::string_view segment_magic = "FLSEGLOG";

std::string hex(uint64_t v, int digits) {
  static constexpr char alphabet[] = "0123456789abcdef";
  std::string s;
  for (int i = digits - 1; i >= 0; --i) s += alphabet[v >> (4 * i) & 15];
  return s;
}

std::optional<uint64_t> parse_hex(std::string_view text, size_t digits) {
  if (text.size() != digits) return {};
  uint64_t v = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), v, 16);
  if (ec != std::errc() || end != text.data() + text.size() || text != hex(v, static_cast<int>(digits))) return {};
  return v;
}

}  // namespace

uint64_t frame_magic(uint64_t salt) { return magic ^ salt; }

void FrameHeader::encode(uint8_t* out, uint64_t salt) const {
  store_le<uint64_t>(out, frame_magic(salt));
  out[8] = version;
  out[9] = static_cast<uint8_t>(kind);
  out[10] = flags;
  out[11] = 0;
  store_le<uint32_t>(out + 12, length);
  store_le<uint64_t>(out + 16, lsn.value);
  store_le<uint64_t>(out + 24, synced.value);
  store_le<uint64_t>(out + 32, epoch.value);
  store_le<uint32_t>(out + 40, payload_crc);
  store_le<uint32_t>(out + 44, crc32c({out, 44}));
}

std::optional<FrameHeader> FrameHeader::decode(std::span<const uint8_t> bytes, uint64_t salt) {
  if (bytes.size() < frame_header_size || load_le<uint64_t>(bytes.data()) != frame_magic(salt)) return {};
  const uint8_t* p = bytes.data();
  if (crc32c({p, 44}) != load_le<uint32_t>(p + 44)) return {};
  FrameHeader h;
  h.version = p[8];
  h.kind = static_cast<FrameKind>(p[9]);
  h.flags = p[10];
  h.length = load_le<uint32_t>(p + 12);
  h.lsn = Lsn(load_le<uint64_t>(p + 16));
  h.synced = Lsn(load_le<uint64_t>(p + 24));
  h.epoch = Epoch(load_le<uint64_t>(p + 32));
  h.payload_crc = load_le<uint32_t>(p + 40);
  bool body = h.kind == FrameKind::body;
  if (h.length > (!body ? max_record_size : h.version == letter_version ? max_letter_payload : max_body_payload)) {
    return {};
  }
  return h;
}

std::array<uint8_t, segment_header_size> SegmentHeader::encode() const {
  std::array<uint8_t, segment_header_size> out{};
  std::memcpy(out.data(), segment_magic.data(), segment_magic.size());
  store_le<uint32_t>(out.data() + 8, version);
  store_le<uint32_t>(out.data() + 12, segment_header_size);
  store_le<uint64_t>(out.data() + 16, salt);
  store_le<uint64_t>(out.data() + 24, first.value);
  store_le<uint64_t>(out.data() + 32, last.value);
  store_le<uint64_t>(out.data() + 40, compatible);
  store_le<uint64_t>(out.data() + 48, read_compatible);
  store_le<uint64_t>(out.data() + 56, incompatible);
  store_le<uint64_t>(out.data() + 64, static_cast<uint64_t>(created));
  store_le<uint32_t>(out.data() + 72, generation);
  std::copy(account.begin(), account.end(), out.begin() + 80);
  store_le<uint64_t>(out.data() + 96, needs.value);
  out[104] = packed;
  store_le<uint32_t>(out.data() + 124, crc32c({out.data(), 124}));
  return out;
}

std::optional<SegmentHeader> SegmentHeader::decode(std::span<const uint8_t> bytes) {
  if (bytes.size() < segment_header_size) return {};
  const uint8_t* p = bytes.data();
  if (wire::base::as_text(bytes.first(segment_magic.size())) != segment_magic) return {};
  if (crc32c({p, 124}) != load_le<uint32_t>(p + 124)) return {};
  SegmentHeader h;
  h.version = load_le<uint32_t>(p + 8);
  h.salt = load_le<uint64_t>(p + 16);
  h.first = Lsn(load_le<uint64_t>(p + 24));
  h.last = Lsn(load_le<uint64_t>(p + 32));
  h.compatible = load_le<uint64_t>(p + 40);
  h.read_compatible = load_le<uint64_t>(p + 48);
  h.incompatible = load_le<uint64_t>(p + 56);
  h.created = static_cast<int64_t>(load_le<uint64_t>(p + 64));
  h.generation = load_le<uint32_t>(p + 72);
  std::copy_n(p + 80, h.account.size(), h.account.begin());
  h.needs = Lsn(load_le<uint64_t>(p + 96));
  h.packed = p[104];
  if (load_le<uint32_t>(p + 12) != segment_header_size || h.version != 1) {
    h.incompatible = ~uint64_t{0};  // a later header: its checksum holds, its fields mean something else
  }
  return h;
}

std::string SegmentName::text() const {
  return hex(first.value, 16) + '-' + (last ? hex(last.value, 16) : "open") + '-' + hex(generation, 4) + ".log";
}

std::optional<SegmentName> SegmentName::parse(std::string_view text) {
  if (!text.ends_with(".log")) return {};
  text.remove_suffix(4);
  size_t a = text.find('-'), b = text.rfind('-');
  if (a == text.npos || a == b) return {};
  std::string_view last = text.substr(a + 1, b - a - 1);
  std::optional<uint64_t> first_lsn = parse_hex(text.substr(0, a), 16), generation = parse_hex(text.substr(b + 1), 4);
  std::optional<uint64_t> last_lsn = last == "open" ? std::optional<uint64_t>(0) : parse_hex(last, 16);
  if (!first_lsn || !generation || !last_lsn || *first_lsn == 0) return {};
  if (last != "open" && *last_lsn < *first_lsn) return {};
  return SegmentName{Lsn(*first_lsn), Lsn(*last_lsn), static_cast<uint32_t>(*generation)};
}

}  // namespace storage
