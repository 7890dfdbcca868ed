#include "storage/body_finder.h"

#include <algorithm>
#include <utility>

#include "storage/crc32c.h"

namespace storage {
namespace {

constexpr size_t name_size = sizeof(Sha256), segment_size = 12, block_size = 10;
constexpr size_t piece_size = 256u << 10;
constexpr size_t blocks_at_once = 64;

Failure damaged() { return Failure(Errc::corrupt, "index.snap: finder of bodies"); }

uint32_t sorting(const uint8_t* name) {
  return uint32_t{name[0]} << 24 | uint32_t{name[1]} << 16 | uint32_t{name[2]} << 8 | name[3];
}

}  // namespace

Result<size_t> LoadedBodies::part(size_t from, size_t at_most, std::vector<BodyPlace>& out) const {
  const size_t to = std::min(table_.size(), from + at_most);
  for (size_t i = from; i < to; ++i) {
    if (BodyPlace p = table_.at(i); p.segment) out.push_back(p);
  }
  return to < table_.size() ? to : 0;
}

Result<std::shared_ptr<const BodyFinder>> BodyFinder::open(std::shared_ptr<const File> file, uint64_t at,
                                                           std::span<const uint8_t> head) {
  auto made = std::make_shared<BodyFinder>();
  Reader in(head);
  made->file_ = std::move(file);
  made->bodies_ = in.get<uint32_t>();
  for (size_t n = in.get<uint32_t>(); n > 0 && in.ok(); --n) {
    const Lsn first(in.get<uint64_t>());
    made->segments_.emplace_back(first, in.get<uint32_t>());
  }
  at += head.size();
  if (in.left() != (made->bodies_ + block_bodies - 1) / block_bodies * block_size) in.fail();
  made->blocks_.reserve(in.left() / block_size);
  while (in.ok() && !in.at_end()) {
    Block b{sorting(in.bytes(4).data()), 0, at};
    b.crc = in.get<uint32_t>();
    at += in.get<uint16_t>();
    if (!made->blocks_.empty() && b.first < made->blocks_.back().first) in.fail();
    made->blocks_.push_back(b);
  }
  if (!in.ok()) return damaged();
  made->end_ = at;
  made->cache_.resize(std::min(cached_blocks, made->blocks_.size()));
  return std::shared_ptr<const BodyFinder>(std::move(made));
}

Result<BodyFinder::Bytes> BodyFinder::block(size_t number, bool keep) const {
  {
    std::lock_guard lock(mutex_);
    asked_ = true;
    const auto& [which, bytes] = cache_[number % cache_.size()];
    if (bytes && which == number) return bytes;
  }
  const Block& b = blocks_[number];
  auto bytes = std::make_shared<Buffer>();
  bytes->resize(static_cast<size_t>(end_of(number) - b.at));
  Result<size_t> n = file_->read_at(b.at, {bytes->data(), bytes->size()});
  if (!n) return n.error();
  if (*n != bytes->size() || bytes->size() < names_in(number) * name_size || crc32c(bytes->bytes()) != b.crc) {
    return damaged();
  }
  if (!keep) return Bytes(std::move(bytes));
  std::lock_guard lock(mutex_);
  cache_[number % cache_.size()] = {number, bytes};
  return Bytes(std::move(bytes));
}

BodyPlace BodyFinder::place(Reader& in) const {
  BodyPlace p;
  const uint64_t segment = in.varint();
  p.offset = in.varint();
  const uint64_t length = in.varint();
  if (segment >= segments_.size() || length > UINT32_MAX) {
    in.fail();
    return p;
  }
  p.segment = segments_[static_cast<size_t>(segment)].first;
  p.generation = segments_[static_cast<size_t>(segment)].second;
  p.length = static_cast<uint32_t>(length);
  return p;
}

Result<std::optional<BodyPlace>> BodyFinder::find(const Sha256& name) const {
  const uint32_t wanted = sorting(name.data());
  auto after =
      std::upper_bound(blocks_.begin(), blocks_.end(), wanted, [](uint32_t w, const Block& b) { return w < b.first; });
  // Names that begin alike may go over the end of a block.
  for (auto b = after; b != blocks_.begin();) {
    --b;
    const auto number = static_cast<size_t>(b - blocks_.begin());
    Result<Bytes> bytes = block(number, true);
    if (!bytes) return bytes.error();
    const size_t names = names_in(number);
    size_t low = 0, high = names;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      const int order = std::memcmp((*bytes)->data() + middle * name_size, name.data(), name_size);
      if (order == 0) {
        Reader in((*bytes)->bytes().subspan(names * name_size));
        for (size_t i = 0; i < 3 * middle; ++i) in.varint();
        BodyPlace p = place(in);
        if (!in.ok()) return damaged();
        p.name = name;
        return std::optional<BodyPlace>(p);
      }
      (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
    }
    if (b->first != wanted) break;
  }
  return std::optional<BodyPlace>();
}

// Neighbours are read at once, and not kept.
Result<size_t> BodyFinder::part(size_t from, size_t at_most, std::vector<BodyPlace>& out) const {
  const size_t first = from / block_bodies;
  if (first >= blocks_.size()) return size_t{0};
  const size_t some = std::clamp<size_t>(at_most / block_bodies, 1, blocks_at_once);
  const size_t last = std::min(first + some, blocks_.size());
  const uint64_t at = blocks_[first].at;
  Buffer bytes;
  bytes.resize(static_cast<size_t>(end_of(last - 1) - at));
  Result<size_t> n = file_->read_at(at, {bytes.data(), bytes.size()});
  if (!n) return n.error();
  if (*n != bytes.size()) return damaged();
  for (size_t number = first; number < last; ++number) {
    const Block& b = blocks_[number];
    const size_t names = names_in(number);
    const auto block = bytes.bytes(static_cast<size_t>(b.at - at), static_cast<size_t>(end_of(number) - b.at));
    if (block.size() < names * name_size || crc32c(block) != b.crc) return damaged();
    Reader in(block.subspan(names * name_size));
    for (size_t i = 0; i < names; ++i) {
      out.push_back(place(in));
      std::copy_n(block.data() + i * name_size, name_size, out.back().name.begin());
    }
    if (!in.ok() || !in.at_end()) return damaged();
  }
  return last < blocks_.size() ? last * block_bodies : 0;
}

size_t BodyFinder::bytes() const {
  size_t n = blocks_.size() * sizeof(Block) + segments_.size() * sizeof(segments_[0]);
  std::lock_guard lock(mutex_);
  for (const auto& [number, bytes] : cache_) n += bytes ? bytes->capacity() : 0;
  return n;
}

void BodyFinder::rest() const {
  std::vector<std::pair<size_t, Bytes>> old;
  std::lock_guard lock(mutex_);
  if (!std::exchange(asked_, false)) {
    old.resize(cache_.size());
    old.swap(cache_);
  }
}

FinderWriter::FinderWriter(std::span<const BodyPlace> places) : places_(places) {
  for (const BodyPlace& p : places) {
    if (!p.segment) continue;
    ++bodies_;
    segments_.emplace(std::pair(p.segment, p.generation), 0);
  }
  uint32_t n = 0;
  for (auto& [segment, number] : segments_) number = n++;
}

uint64_t FinderWriter::head_size() const {
  const size_t per_block = BodyFinder::block_bodies;
  return 8 + segments_.size() * segment_size + (bodies_ + per_block - 1) / per_block * block_size;
}

Result<void> FinderWriter::write(File& file, uint64_t at) {
  uint64_t to = at + head_size();
  Buffer out, block, rest;
  size_t names = 0;
  auto end_block = [&] {
    block.put_bytes(rest.bytes());
    Block b{{}, crc32c(block.bytes()), static_cast<uint16_t>(block.size())};
    std::copy_n(block.data(), b.first.size(), b.first.begin());
    blocks_.push_back(b);
    out.put_bytes(block.bytes());
    block.clear();
    rest.clear();
    names = 0;
  };
  auto flush = [&]() -> Result<void> {
    if (out.empty()) return {};
    Result<void> r = file.write_at(to, out.bytes());
    to += out.size();
    out.clear();
    return r;
  };
  for (const BodyPlace& p : places_) {
    if (!p.segment) continue;
    block.put_bytes(p.name);
    rest.put_varint(segments_.at(std::pair(p.segment, p.generation)));
    rest.put_varint(p.offset);
    rest.put_varint(p.length);
    if (++names < BodyFinder::block_bodies) continue;
    end_block();
    if (out.size() < piece_size) continue;
    if (Result<void> r = flush(); !r) return r;
  }
  if (names != 0) end_block();
  if (Result<void> r = flush(); !r) return r;
  size_ = to - at;
  return {};
}

Buffer FinderWriter::head() const {
  Buffer head;
  head.put<uint32_t>(static_cast<uint32_t>(bodies_));
  head.put<uint32_t>(static_cast<uint32_t>(segments_.size()));
  for (const auto& [segment, number] : segments_) {
    head.put<uint64_t>(segment.first.value);
    head.put<uint32_t>(segment.second);
  }
  for (const Block& b : blocks_) {
    head.put_bytes(b.first);
    head.put<uint32_t>(b.crc);
    head.put<uint16_t>(b.length);
  }
  return head;
}

}  // namespace storage
