#include "storage/snapshot_places.h"

#include <algorithm>

#include "storage/frame.h"

namespace storage {
namespace {

constexpr size_t body_place_size = 52;

// A place that follows the one before costs its length only.
void put_place(Buffer& out, const BodyPlace& p, BodyPlace& before) {
  const uint64_t next = before.offset + frame_header_size + before.length;
  const bool follows = p.segment && p.segment == before.segment && p.offset == next;
  out.put_varint(uint64_t{p.length} << 1 | (follows ? 0 : 1));
  if (!follows) {
    out.put_varint(p.segment.value);
    out.put_zigzag(static_cast<int64_t>(p.offset - (p.segment == before.segment ? next : 0)));
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
    p.offset = static_cast<uint64_t>(in.zigzag()) + (p.segment == before.segment ? next : 0);
  }
  if (p.segment) before = p;
}

}  // namespace

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

BodyEncoder::BodyEncoder(Buffer& out, std::span<const BodyPlace> places) : out_(out), all_(places) {
  while (shift_ > 0 && (size_t{1} << (24 - shift_)) * 8 < places.size()) --shift_;
  starts_.resize((size_t{1} << (24 - shift_)) + 1, static_cast<uint32_t>(places.size()));
  for (size_t i = places.size(), to = starts_.size() - 1; i-- > 0;) {
    const size_t b = bucket(places[i].name) >> shift_;
    while (to > b + 1) starts_[--to] = static_cast<uint32_t>(i + 1);
    starts_[to = b] = static_cast<uint32_t>(i);
  }
  if (!places.empty()) std::fill_n(starts_.begin(), bucket(places[0].name) >> shift_, 0u);
  done_.resize(places.size());
  out_.put<uint32_t>(static_cast<uint32_t>(places.size()));
}

std::optional<size_t> BodyEncoder::find(const Sha256& name) const {
  const size_t b = bucket(name) >> shift_;
  const auto from = all_.begin() + starts_[b], to = all_.begin() + starts_[b + 1];
  const auto at = std::lower_bound(from, to, name, [](const BodyPlace& p, const Sha256& n) { return p.name < n; });
  if (at == to || at->name != name) return {};
  return static_cast<size_t>(at - all_.begin());
}

void BodyEncoder::add(const Sha256& name) {
  const std::optional<size_t> at = find(name);
  if (!at) {
    if (without_.insert(name).second) put_place(out_, BodyPlace{name, Lsn(0), 0, 0, 0}, before_);
    return;
  }
  if (done_[*at]) return;
  done_[*at] = true;
  put_place(out_, all_[*at], before_);
}

void BodyEncoder::finish() {
  for (size_t i = 0; i < done_.size(); ++i) {
    if (done_[i]) continue;
    out_.put_bytes(all_[i].name);
    put_place(out_, all_[i], before_);
  }
}

BodyDecoder::BodyDecoder(std::span<const uint8_t> section) : in_(section) {
  auto n = in_.get<uint32_t>();
  if (n > section.size()) in_.fail();
  if (in_.ok()) table_.reserve(n);
}

void BodyDecoder::add(const Sha256& name) {
  if (!in_.ok() || table_.contains(name)) return;
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
