#include "storage/snapshot_chunk.h"

#include <algorithm>

#include "storage/frame.h"
#include "storage/record.h"

namespace storage {
namespace {

constexpr size_t body_place_size = 52;

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
  size_t offsets = out.size();
  out.extend(4 * (size_t{c.size()} + 1));
  size_t start = out.size();
  for (uint32_t i = 0; i < c.size(); ++i) {
    store_le<uint32_t>(out.data() + offsets + 4 * size_t{i}, static_cast<uint32_t>(out.size() - start));
    record::encode_info(out, c.info(i));
  }
  store_le<uint32_t>(out.data() + offsets + 4 * size_t{c.size()}, static_cast<uint32_t>(out.size() - start));
}

std::shared_ptr<MessageChunk> get_plain(Reader& in, const std::shared_ptr<const Buffer>& section) {
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
  c->cold_index.resize(n);
  for (uint32_t i = 0; i < n; ++i) c->cold_index[i] = i;
  if (in.ok()) c->cold = std::make_shared<ColdStore>(section, std::move(offsets));
  if (!std::is_sorted(c->uid.begin(), c->uid.end())) in.fail();
  return c;
}

uint64_t zigzag(int64_t v) { return static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63); }
int64_t unzigzag(uint64_t v) { return static_cast<int64_t>(v >> 1 ^ (0 - (v & 1))); }

// Numbers as runs of equal ones, each by its difference to the one before.
void put_runs(Buffer& out, const std::vector<uint64_t>& values) {
  uint64_t before = 0;
  for (size_t i = 0; i < values.size();) {
    size_t end = i + 1;
    while (end < values.size() && values[end] == values[i]) ++end;
    out.put_varint(zigzag(static_cast<int64_t>(values[i] - before)));
    out.put_varint(end - i - 1);
    before = values[i];
    i = end;
  }
}

std::vector<uint64_t> get_runs(Reader& in, size_t n) {
  std::vector<uint64_t> values(n);
  uint64_t value = 0;
  for (size_t i = 0; i < n;) {
    value += static_cast<uint64_t>(unzigzag(in.varint()));
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

void put_packed(Buffer& out, const MessageChunk& c) {
  const uint32_t n = c.size();
  out.put_varint(n);
  UidSet uids;
  for (uint32_t u : c.uid) uids.add(Uid(u));
  record::encode_set(out, uids);
  put_runs(out, c.modseq);
  put_palette(out, c.flags);
  put_overflow(out, c);

  std::vector<uint8_t> bitmap((n + 7) / 8);
  uint32_t bodies = 0;
  for (uint32_t i = 0; i < n; ++i) {
    if (!c.info(i).body) continue;
    bitmap[i / 8] = static_cast<uint8_t>(bitmap[i / 8] | 1 << i % 8);
    ++bodies;
  }
  out.put<uint8_t>(bodies == 0 ? 0 : bodies == n ? 1 : 2);
  if (bodies != 0 && bodies != n) out.put_bytes(bitmap);
  for (uint32_t i = 0; i < n; ++i) {
    if (c.info(i).body) out.put_bytes(*c.info(i).body);
  }

  Buffer cold;
  for (uint32_t i = 0; i < n; i += ColdStore::block_size) {
    const size_t from = cold.size();
    int64_t before = 0;
    for (uint32_t k = i; k < std::min(n, i + ColdStore::block_size); ++k) {
      record::encode_packed_info(cold, c.info(k), before);
      before = c.info(k).date.seconds;
    }
    out.put_varint(cold.size() - from);
  }
  out.put_bytes(cold.bytes());
}

// Where the parts of a packed chunk lie behind its hot arrays.
ColdStore::Packed get_cold(Reader& in, const uint8_t* section, uint32_t n) {
  ColdStore::Packed p;
  p.count = n;
  auto place = [&](std::span<const uint8_t> b) { return b.empty() ? 0 : static_cast<uint32_t>(b.data() - section); };
  auto mode = in.get<uint8_t>();
  if (mode > 2) in.fail();
  size_t bodies = mode == 1 ? n : 0;
  p.all_bodies = mode == 1;
  if (mode == 2) {
    std::span<const uint8_t> bitmap = in.bytes((n + 7) / 8);
    p.bitmap = place(bitmap);
    for (uint8_t b : bitmap) bodies += static_cast<size_t>(__builtin_popcount(b));
    if (!bitmap.empty() && n % 8 != 0 && bitmap.back() >> n % 8 != 0) in.fail();
  }
  p.names = place(in.bytes(bodies * sizeof(Sha256)));
  std::vector<uint64_t> lengths((n + ColdStore::block_size - 1) / ColdStore::block_size);
  for (uint64_t& l : lengths) l = in.varint();
  p.blocks.reserve(lengths.size() + 1);
  for (uint64_t l : lengths) {
    if (l == 0 || l > in.left()) in.fail();
    std::span<const uint8_t> block = in.bytes(static_cast<size_t>(l));
    p.blocks.push_back(place(block));
    if (!block.empty()) p.end = place(block) + static_cast<uint32_t>(block.size());
  }
  p.blocks.push_back(p.end);
  return p;
}

uint32_t get_count(Reader& in) {
  uint64_t n = in.varint();
  if (n == 0 || n > chunk_capacity) in.fail();
  return in.ok() ? static_cast<uint32_t>(n) : 0;
}

std::shared_ptr<MessageChunk> get_packed(Reader& in, const std::shared_ptr<const Buffer>& section) {
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
  ColdStore::Packed cold = get_cold(in, section->data(), n);
  if (!in.ok()) return c;
  c->cold_index.resize(n);
  for (uint32_t i = 0; i < n; ++i) c->cold_index[i] = i;
  c->cold = std::make_shared<ColdStore>(section, std::move(cold));
  return c;
}

// A place that follows the one before costs its length only.
void put_place(Buffer& out, const BodyPlace& p, BodyPlace& before) {
  const uint64_t next = before.offset + frame_header_size + before.length;
  const bool follows = p.segment && p.segment == before.segment && p.offset == next;
  out.put_varint(uint64_t{p.length} << 1 | (follows ? 0 : 1));
  if (!follows) {
    out.put_varint(p.segment.value);
    out.put_varint(zigzag(static_cast<int64_t>(p.offset - (p.segment == before.segment ? next : 0))));
  }
  if (p.segment) before = p;
}

void get_place(Reader& in, BodyPlace& p, BodyPlace& before) {
  const uint64_t next = before.offset + frame_header_size + before.length;
  uint64_t length = in.varint();
  if (length >> 1 > UINT32_MAX) in.fail();
  p.length = static_cast<uint32_t>(length >> 1);
  p.segment = before.segment;
  p.offset = next;
  if (length & 1) {
    p.segment = Lsn(in.varint());
    p.offset = static_cast<uint64_t>(unzigzag(in.varint())) + (p.segment == before.segment ? next : 0);
  }
  if (p.segment) before = p;
}

}  // namespace

void put_chunk(Buffer& out, const MessageChunk& chunk, uint32_t format) {
  if (format == 1) {
    put_plain(out, chunk);
  } else {
    put_packed(out, chunk);
  }
}

std::shared_ptr<MessageChunk> get_chunk(Reader& in, const std::shared_ptr<const Buffer>& section, uint32_t format) {
  return format == 1 ? get_plain(in, section) : get_packed(in, section);
}

void skip_chunk(Reader& in, const OnName& f) {
  const uint32_t n = get_count(in);
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
  auto mode = in.get<uint8_t>();
  size_t bodies = mode == 1 ? n : 0;
  if (mode == 2) {
    for (uint8_t b : in.bytes((n + 7) / 8)) bodies += static_cast<size_t>(__builtin_popcount(b));
  }
  std::span<const uint8_t> names = in.bytes(bodies * sizeof(Sha256));
  uint64_t cold = 0;
  for (uint32_t i = 0; i < n && in.ok(); i += ColdStore::block_size) cold += in.varint();
  if (cold > in.left()) in.fail();
  in.bytes(static_cast<size_t>(cold));
  if (!in.ok()) return;
  for (size_t at = 0; at < names.size(); at += sizeof(Sha256)) {
    Sha256 name;
    std::copy_n(names.data() + at, name.size(), name.begin());
    f(name);
  }
}

void encode_places(Buffer& out, std::span<const BodyPlace> places) {
  for (const BodyPlace& p : places) {
    out.put_bytes(p.name);
    out.put<uint64_t>(p.segment.value);
    out.put<uint64_t>(p.offset);
    out.put<uint32_t>(p.length);
  }
}

Result<BodyTable> decode_places(std::span<const uint8_t> section) {
  if (section.size() % body_place_size != 0) return Failure(Errc::corrupt, "index.snap: bodies");
  BodyTable table;
  table.reserve(section.size() / body_place_size);
  for (const uint8_t* p = section.data(); p != section.data() + section.size(); p += body_place_size) {
    BodyPlace b;
    std::copy_n(p, b.name.size(), b.name.begin());
    b.segment = Lsn(load_le<uint64_t>(p + 32));
    b.offset = load_le<uint64_t>(p + 40);
    b.length = load_le<uint32_t>(p + 48);
    table.add(b);
  }
  return table;
}

BodyEncoder::BodyEncoder(Buffer& out, const std::vector<BodyPlace>& places) : out_(out) {
  all_.reserve(places.size());
  for (const BodyPlace& p : places) all_.add(p);
  done_.resize(places.size());
  out_.put<uint32_t>(static_cast<uint32_t>(places.size()));
}

void BodyEncoder::add(const Sha256& name) {
  if (all_.find(name) == nullptr) {
    all_.add(BodyPlace{name, Lsn(0), 0, 0, 0});  // a message whose body is gone
    done_.push_back(false);
  }
  const BodyPlace* p = all_.find(name);
  auto at = static_cast<size_t>(p - all_.places().data());
  if (done_[at]) return;
  done_[at] = true;
  put_place(out_, *p, before_);
}

void BodyEncoder::finish() {
  for (size_t i = 0; i < done_.size(); ++i) {
    if (done_[i]) continue;
    out_.put_bytes(all_.places()[i].name);
    put_place(out_, all_.places()[i], before_);
  }
}

BodyDecoder::BodyDecoder(std::span<const uint8_t> section) : in_(section) {
  auto n = in_.get<uint32_t>();
  if (n > section.size()) in_.fail();
  if (in_.ok()) table_.reserve(n);
}

void BodyDecoder::add(const Sha256& name) {
  if (!in_.ok() || table_.find(name) != nullptr) return;
  BodyPlace p;
  p.name = name;
  get_place(in_, p, before_);
  if (in_.ok()) table_.add(p);
}

Result<BodyTable> BodyDecoder::finish() {
  while (in_.ok() && !in_.at_end()) {
    BodyPlace p;
    std::span<const uint8_t> name = in_.bytes(p.name.size());
    std::copy(name.begin(), name.end(), p.name.begin());
    get_place(in_, p, before_);
    if (in_.ok() && !table_.add(p)) in_.fail();
  }
  if (!in_.ok()) return Failure(Errc::corrupt, "index.snap: bodies");
  return std::move(table_);
}

}  // namespace storage
