#include "storage/letter.h"

#include <zstd.h>

#include <algorithm>

#include "storage/crc32c.h"
#include "storage/frame.h"

namespace storage {
namespace {

constexpr uint8_t part_mask = 3, has_dictionary = 4, is_raw = 8, known_bits = 15;
constexpr uint32_t zstd_magic = 0xfd2fb528;  // not stored: every frame begins with it
constexpr size_t magic_size = 4;

Failure impossible() { return Failure(Errc::corrupt, "impossible head of a body"); }

}  // namespace

void Letter::encode(Buffer& out) const {
  const size_t start = out.size();
  out.put<uint8_t>(
      static_cast<uint8_t>(static_cast<uint8_t>(part) | (dictionary ? has_dictionary : 0) | (raw ? is_raw : 0)));
  out.put_bytes(name);
  out.put_varint(size);
  if (dictionary != 0) out.put_varint(dictionary);
  if (part != Part::none) out.put_text(wire::base::as_text(record));
  out.put<uint32_t>(crc32c(out.bytes(start, out.size() - start)));
}

Result<Letter> Letter::decode(std::span<const uint8_t> payload) {
  Reader in(payload);
  auto bits = in.get<uint8_t>();
  if ((bits & part_mask) > 2) return impossible();
  Letter l;
  l.part = static_cast<Part>(bits & part_mask);
  l.raw = (bits & is_raw) != 0;
  std::span<const uint8_t> name = in.bytes(l.name.size());
  std::copy(name.begin(), name.end(), l.name.begin());
  l.size = in.varint();
  if (bits & has_dictionary) {
    uint64_t id = in.varint();
    if (id == 0 || id > UINT32_MAX || l.raw) return impossible();
    l.dictionary = static_cast<uint32_t>(id);
  }
  if (l.part != Part::none) l.record = wire::base::as_bytes(in.text());
  const size_t length = payload.size() - in.left();
  auto crc = in.get<uint32_t>();
  if (!in.ok() || (bits & ~known_bits)) {
    // What a later version has in its head is not known, so neither is where its checksum is.
    return bits & ~known_bits ? Failure(Errc::unsupported, "body of a later version") : impossible();
  }
  if (crc != crc32c(payload.first(length))) return Failure(Errc::corrupt, "checksum of a body's head");
  if (l.size > body_block_size || l.record.size() > max_record) return impossible();
  l.head = length + sizeof crc;
  return l;
}

bool compress_letter(Buffer& out, std::span<const uint8_t> raw, const Dictionary* dictionary, int level) {
  size_t start = out.size(), bound = ZSTD_compressBound(raw.size());
  uint8_t* p = out.extend(bound);
  size_t n = zstd_compress({p, bound}, raw, dictionary, level);
  if (n <= magic_size || n - magic_size >= raw.size()) {
    std::copy(raw.begin(), raw.end(), p);
    out.resize(start + raw.size());
    return true;
  }
  std::memmove(p, p + magic_size, n - magic_size);
  out.resize(start + n - magic_size);
  return false;
}

Result<void> decompress_letter(const Letter& letter, std::span<uint8_t> payload, const Dictionary* dictionary,
                               std::span<uint8_t> out) {
  std::span<uint8_t> block = payload.subspan(letter.head);
  if (letter.raw || letter.size == 0) {
    if (block.size() != out.size()) return Failure(Errc::corrupt, "length of a body's block");
    std::copy(block.begin(), block.end(), out.begin());
    return {};
  }
  std::span<uint8_t> frame = payload.subspan(letter.head - magic_size);  // a head has more bytes than that
  store_le<uint32_t>(frame.data(), zstd_magic);
  if (!zstd_decompress(out, frame, dictionary)) return Failure(Errc::corrupt, "body's block does not decompress");
  return {};
}

Result<BodyFrame> read_body_frame(const FrameHeader& header, std::span<const uint8_t> payload) {
  BodyFrame f;
  if (header.version == frame_version) {
    Result<BodyHead> head = BodyHead::decode(payload);
    if (!head) return head.error();
    f.name = head->name;
    f.size = head->size;
    return f;
  }
  if (header.version != letter_version) return Failure(Errc::unsupported, "frame of a later version");
  Result<Letter> letter = Letter::decode(payload);
  if (!letter) return letter.error();
  f.name = letter->name;
  f.size = letter->size;
  f.dictionary = letter->dictionary;
  Reader in(letter->record);
  if (letter->part == Letter::Part::message) {
    MailboxKey mailbox(in.varint());
    record::Message m = record::decode_compact(in, mailbox, Uid(0));
    m.info.body = f.name;
    f.part = std::move(m);
  } else if (letter->part == Letter::Part::link) {
    f.part = record::decode_compact_link(in, f.name);
  }
  if (!in.ok()) return Failure(Errc::corrupt, "frame with impossible content");
  return f;
}

std::optional<LoneRecord> record_alone(const FrameHeader& header, const Letter& letter) {
  if (letter.part == Letter::Part::none) return {};
  LoneRecord alone;
  alone.header = header;
  alone.header.version = frame_version;
  Reader in(letter.record);
  if (letter.part == Letter::Part::message) {
    alone.header.kind = FrameKind::messages;
    alone.payload.put_varint(in.varint());
    Buffer one;
    one.put_bytes(in.rest());
    record::encode_body_name(one, letter.name);
    alone.payload.put_text(wire::base::as_text(one.bytes()));
  } else {
    alone.header.kind = FrameKind::body_link;
    record::encode(alone.payload, record::decode_compact_link(in, letter.name));
  }
  alone.header.length = static_cast<uint32_t>(alone.payload.size());
  alone.header.payload_crc = crc32c(alone.payload.bytes());
  return alone;
}

namespace {

// The block of `letter` with another dictionary or level; nothing unless it is smaller and gives the same message.
std::optional<Buffer> smaller_block(const Letter& letter, std::span<const uint8_t> payload,
                                    const Dictionaries& dictionaries, const Dictionary* dictionary, int level) {
  std::shared_ptr<const Dictionary> old;
  if (letter.dictionary != 0) {
    Result<std::shared_ptr<const Dictionary>> got = dictionaries.get(letter.dictionary);
    if (!got) return {};
    old = std::move(*got);
  }
  Buffer copy, raw, block, again;
  copy.put_bytes(payload);
  raw.resize(static_cast<size_t>(letter.size));
  if (!decompress_letter(letter, {copy.data(), copy.size()}, old.get(), {raw.data(), raw.size()})) return {};
  Sha256Hasher hasher;
  hasher.update(raw.bytes());
  if (hasher.finish() != letter.name) return {};
  if (compress_letter(block, raw.bytes(), dictionary, level)) return {};
  if (block.size() >= payload.size() - letter.head) return {};
  return block;
}

}  // namespace

Result<Buffer> repack_letter(std::span<const uint8_t> payload, bool with_record, const Dictionaries& dictionaries,
                             const Dictionary* dictionary, int level) {
  Result<Letter> letter = Letter::decode(payload);
  if (!letter) return letter.error();
  Letter l = *letter;
  if (!with_record) {
    l.part = Letter::Part::none;
    l.record = {};
  }
  std::optional<Buffer> block;
  if (level != 0 && l.size > 0) block = smaller_block(*letter, payload, dictionaries, dictionary, level);
  if (block) {
    l.raw = false;
    l.dictionary = dictionary == nullptr ? 0 : dictionary->id();
  }
  Buffer out;
  l.encode(out);
  out.put_bytes(block ? block->bytes() : payload.subspan(letter->head));
  return out;
}

std::optional<LooseLetter> letter_of(std::span<const uint8_t> body_payload, const Dictionary* dictionary, int level) {
  Result<BodyHead> head = BodyHead::decode(body_payload);
  if (!head || head->size > body_block_size || head->blocks.size() > 1) return {};
  Buffer raw;
  raw.resize(static_cast<size_t>(head->size));
  if (!head->blocks.empty()) {
    const std::span<const uint8_t> stored = body_payload.subspan(std::min(body_payload.size(), head->encoded_size()));
    if (!decompress_block(head->blocks[0], stored, {raw.data(), raw.size()})) return {};
  }
  Sha256Hasher hasher;
  hasher.update(raw.bytes());
  if (hasher.finish() != head->name) return {};
  LooseLetter out;
  out.head.name = head->name;
  out.head.size = head->size;
  if (head->size >= dictionary_limit) dictionary = nullptr;
  out.head.raw = head->size == 0 || compress_letter(out.block, raw.bytes(), dictionary, level);
  if (!out.head.raw && dictionary != nullptr) out.head.dictionary = dictionary->id();
  return out;
}

}  // namespace storage
