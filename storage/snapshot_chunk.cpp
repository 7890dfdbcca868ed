#include "storage/snapshot_chunk.h"

#include <algorithm>

#include "storage/crc32c.h"
#include "storage/record.h"

namespace storage {
namespace {

template <class T>
void put_array(Buffer& out, const std::vector<T>& values) {
  uint8_t* p = out.extend(values.size() * sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) store_le<T>(p + i * sizeof(T), values[i]);
}

template <class T>
std::vector<T> get_array(Reader& in, size_t n) {
  std::span<const uint8_t> b = in.bytes(n * sizeof(T));
  std::vector<T> values(b.empty() ? 0 : n);
  for (size_t i = 0; i < values.size(); ++i) values[i] = load_le<T>(b.data() + i * sizeof(T));
  return values;
}

void put_overflow(Buffer& out, const MessageChunk& c) {
  out.put_varint(c.overflow ? c.overflow->size() : 0);
  if (c.overflow) {
    for (const auto& [uid, keywords] : *c.overflow) {
      out.put_varint(uid);
      out.put_varint(keywords.size());
      for (uint32_t k : keywords) out.put_varint(k);
    }
  }
}

std::shared_ptr<const MessageChunk::Overflow> get_overflow(Reader& in) {
  auto overflow = std::make_shared<MessageChunk::Overflow>();
  for (size_t k = in.count(3); k > 0; --k) {
    std::vector<uint32_t>& keywords = (*overflow)[static_cast<uint32_t>(in.varint())];
    for (size_t w = in.count(1); w > 0; --w) keywords.push_back(static_cast<uint32_t>(in.varint()));
  }
  if (overflow->empty()) return nullptr;
  return overflow;
}

void put_plain(Buffer& out, const MessageChunk& c) {
  out.put<uint32_t>(c.size());
  put_array(out, c.uid);
  put_array(out, c.modseq);
  put_array(out, c.flags);
  put_overflow(out, c);
  const std::vector<MessageInfo> infos = c.cold->infos(c.cold_index, c.size());
  size_t offsets = out.size();
  out.extend(4 * (size_t{c.size()} + 1));
  size_t start = out.size();
  for (uint32_t i = 0; i < c.size(); ++i) {
    store_le<uint32_t>(out.data() + offsets + 4 * size_t{i}, static_cast<uint32_t>(out.size() - start));
    record::encode_info(out, infos[i]);
  }
  store_le<uint32_t>(out.data() + offsets + 4 * size_t{c.size()}, static_cast<uint32_t>(out.size() - start));
}

// Numbers as runs of equal ones, each by its difference to the one before.
void put_runs(Buffer& out, const std::vector<uint64_t>& values) {
  uint64_t before = 0;
  for (size_t i = 0; i < values.size();) {
    size_t end = i + 1;
    while (end < values.size() && values[end] == values[i]) ++end;
    out.put_zigzag(static_cast<int64_t>(values[i] - before));
    out.put_varint(end - i - 1);
    before = values[i];
    i = end;
  }
}

std::vector<uint64_t> get_runs(Reader& in, size_t n) {
  std::vector<uint64_t> values(n);
  uint64_t value = 0;
  for (size_t i = 0; i < n;) {
    value += static_cast<uint64_t>(in.zigzag());
    uint64_t more = in.varint();
    if (!in.ok() || more >= n - i) {
      in.fail();
      break;
    }
    for (size_t end = i + static_cast<size_t>(more) + 1; i < end; ++i) values[i] = value;
  }
  return values;
}

// Numbers of which there are few different ones: those, then one or two bytes each.
void put_palette(Buffer& out, const std::vector<uint64_t>& values) {
  std::vector<uint64_t> palette = values;
  std::sort(palette.begin(), palette.end());
  palette.erase(std::unique(palette.begin(), palette.end()), palette.end());
  out.put_varint(palette.size());
  for (uint64_t v : palette) out.put_varint(v);
  if (palette.size() == 1) return;
  for (uint64_t v : values) {
    auto at = static_cast<uint16_t>(std::lower_bound(palette.begin(), palette.end(), v) - palette.begin());
    if (palette.size() <= 256) {
      out.put<uint8_t>(static_cast<uint8_t>(at));
    } else {
      out.put<uint16_t>(at);
    }
  }
}

std::vector<uint64_t> get_palette(Reader& in, size_t n) {
  std::vector<uint64_t> palette(in.count(1));
  for (uint64_t& v : palette) v = in.varint();
  if (palette.empty() || palette.size() > n) {
    in.fail();
    return {};
  }
  std::vector<uint64_t> values(n, palette[0]);
  if (palette.size() == 1) return values;
  const size_t width = palette.size() <= 256 ? 1 : 2;
  std::span<const uint8_t> b = in.bytes(n * width);
  for (size_t i = 0; i < n && !b.empty(); ++i) {
    size_t at = width == 1 ? b[i] : load_le<uint16_t>(b.data() + 2 * i);
    if (at >= palette.size()) {
      in.fail();
      break;
    }
    values[i] = palette[at];
  }
  return values;
}

void put_cold(Buffer& out, const MessageChunk& c) {
  const uint32_t n = c.size();
  const std::vector<MessageInfo> infos = c.cold->infos(c.cold_index, n);
  std::vector<uint8_t> bitmap((n + 7) / 8);
  uint32_t bodies = 0;
  for (uint32_t i = 0; i < n; ++i) {
    if (!infos[i].body) continue;
    bitmap[i / 8] = static_cast<uint8_t>(bitmap[i / 8] | 1 << i % 8);
    ++bodies;
  }
  out.put<uint8_t>(bodies == 0 ? 0 : bodies == n ? 1 : 2);
  if (bodies != 0 && bodies != n) out.put_bytes(bitmap);
  for (const MessageInfo& info : infos) {
    if (info.body) out.put_bytes(*info.body);
  }
  Buffer blocks;
  for (uint32_t i = 0; i < n; i += ColdStore::block_size) {
    const size_t from = blocks.size();
    int64_t before = 0;
    for (uint32_t k = i; k < std::min(n, i + ColdStore::block_size); ++k) {
      record::encode_packed_info(blocks, infos[k], before);
      before = infos[k].date.seconds;
    }
    out.put_varint(blocks.size() - from);
  }
  out.put_bytes(blocks.bytes());
}

void put_packed(Buffer& out, Buffer& cold, const std::shared_ptr<MessageChunk>& chunk, std::vector<ColdPiece>& pieces) {
  const MessageChunk& c = *chunk;
  const uint32_t n = c.size();
  out.put_varint(n);
  UidSet uids;
  for (uint32_t u : c.uid) uids.add(Uid(u));
  record::encode_set(out, uids);
  put_runs(out, c.modseq);
  put_palette(out, c.flags);
  put_overflow(out, c);
  ColdPiece piece;
  piece.chunk = chunk;
  piece.messages = n;
  piece.offset = cold.size();
  if (std::shared_ptr<const Buffer> same = c.cold_index.empty() ? c.cold->packed_bytes() : nullptr) {
    cold.put_bytes(same->bytes());
    piece.same = true;
  } else {
    put_cold(cold, c);
  }
  piece.length = static_cast<uint32_t>(cold.size() - piece.offset);
  piece.crc = crc32c(cold.bytes(static_cast<size_t>(piece.offset), piece.length));
  out.put_varint(piece.length);
  out.put<uint32_t>(piece.crc);
  pieces.push_back(std::move(piece));
}

uint32_t get_count(Reader& in) {
  uint64_t n = in.varint();
  if (n == 0 || n > chunk_capacity) in.fail();
  return in.ok() ? static_cast<uint32_t>(n) : 0;
}

}  // namespace

std::shared_ptr<MessageChunk> get_plain_chunk(Reader& in, const std::shared_ptr<const Buffer>& section) {
  auto c = std::make_shared<MessageChunk>();
  auto n = in.get<uint32_t>();
  if (n == 0 || n > chunk_capacity) {
    in.fail();
    return c;
  }
  c->uid = get_array<uint32_t>(in, n);
  c->modseq = get_array<uint64_t>(in, n);
  c->flags = get_array<uint64_t>(in, n);
  c->overflow = get_overflow(in);
  std::vector<uint32_t> offsets = get_array<uint32_t>(in, n + 1);
  auto base = static_cast<uint32_t>(section->size() - in.left());
  if (!in.ok() || !std::is_sorted(offsets.begin(), offsets.end())) {
    in.fail();
    return c;
  }
  in.bytes(offsets.back());
  for (uint32_t& o : offsets) o += base;
  if (in.ok()) c->cold = std::make_shared<ColdStore>(section, std::move(offsets));
  if (!std::is_sorted(c->uid.begin(), c->uid.end())) in.fail();
  return c;
}

void put_chunk(Buffer& hot, Buffer& cold, const std::shared_ptr<MessageChunk>& chunk, uint32_t format,
               std::vector<ColdPiece>& pieces) {
  if (format == 1) {
    put_plain(hot, *chunk);
  } else {
    put_packed(hot, cold, chunk, pieces);
  }
}

std::shared_ptr<MessageChunk> get_packed_chunk(Reader& in, MailboxKey mailbox, ColdStore::Place& place) {
  auto c = std::make_shared<MessageChunk>();
  const uint32_t n = get_count(in);
  size_t total = 0;
  UidSet uids = record::decode_set(in);
  for (const UidSet::Range& r : uids.ranges()) total += size_t{r.last.value} - r.first.value + 1;
  if (total != n) in.fail();
  if (!in.ok()) return c;
  c->uid.reserve(n);
  for (const UidSet::Range& r : uids.ranges()) {
    for (uint64_t u = r.first.value; u <= r.last.value; ++u) c->uid.push_back(static_cast<uint32_t>(u));
  }
  c->modseq = get_runs(in, n);
  c->flags = get_palette(in, n);
  c->overflow = get_overflow(in);
  uint64_t length = in.varint();
  place.crc = in.get<uint32_t>();
  if (length > UINT32_MAX) in.fail();
  if (!in.ok()) return c;
  place.length = static_cast<uint32_t>(length);
  c->cold = std::make_shared<ColdStore>(place, mailbox, std::move(uids));
  place.offset += length;
  return c;
}

PassedChunk skip_chunk(Reader& in) {
  PassedChunk passed;
  const uint32_t n = passed.messages = get_count(in);
  for (size_t ranges = in.count(2); ranges > 0 && in.ok(); --ranges) {
    in.varint();
    in.varint();
  }
  for (uint64_t have = 0; have < n && in.ok();) {
    in.varint();
    have += in.varint() + 1;
  }
  size_t palette = in.count(1);
  for (size_t i = 0; i < palette; ++i) in.varint();
  if (palette > 1) in.bytes(size_t{n} * (palette <= 256 ? 1 : 2));
  (void)get_overflow(in);
  uint64_t length = in.varint();
  if (length > UINT32_MAX) in.fail();
  passed.cold_length = static_cast<uint32_t>(length);
  passed.cold_crc = in.get<uint32_t>();
  return passed;
}

Result<void> names_of(std::span<const uint8_t> cold, uint32_t messages, const OnName& f) {
  std::optional<ColdStore::Parts> parts = ColdStore::parse(cold, messages);
  if (!parts) return Failure(Errc::corrupt, "index.snap: messages");
  size_t bodies = parts->all_bodies ? messages : 0;
  if (parts->some_bodies) {
    for (uint8_t b : cold.subspan(parts->bitmap, parts->names - parts->bitmap)) {
      bodies += static_cast<size_t>(__builtin_popcount(b));
    }
  }
  for (size_t i = 0; i < bodies; ++i) {
    Sha256 name;
    std::copy_n(cold.data() + parts->names + i * name.size(), name.size(), name.begin());
    f(name);
  }
  return {};
}

}  // namespace storage
