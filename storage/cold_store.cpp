#include "storage/cold_store.h"

#include <algorithm>

#include "storage/crc32c.h"
#include "storage/record.h"

namespace storage {
namespace {

// Added ones start a block of their own: a block is either unpacked as a whole or filled one by one.
uint32_t first_free(uint32_t packed) {
  return (packed + ColdStore::block_size - 1) / ColdStore::block_size * ColdStore::block_size;
}

}  // namespace

ColdStore::ColdStore(std::shared_ptr<const Buffer> packed, std::vector<uint32_t> offsets)
    : packed_(std::move(packed)),
      offsets_(std::move(offsets)),
      packed_count_(static_cast<uint32_t>(offsets_.size() - 1)),
      next_(first_free(packed_count_)) {}

ColdStore::ColdStore(Place place, MailboxKey mailbox, UidSet uids)
    : mailbox_(mailbox),
      uids_(std::move(uids)),
      packed_count_(static_cast<uint32_t>(uids_.count())),
      next_(first_free(packed_count_)),
      place_(std::move(place)) {}

ColdStore::~ColdStore() {
  for (std::atomic<Block*>& b : blocks_) delete b.load(std::memory_order_relaxed);
}

const MessageInfo& ColdStore::at(uint32_t index) const {
  Block* block = blocks_[index / block_size].load(std::memory_order_acquire);
  if (block == nullptr) block = unpack(index / block_size);
  return (*block)[index % block_size];
}

std::optional<Sha256> ColdStore::body(uint32_t index) const {
  if (const Block* block = blocks_[index / block_size].load(std::memory_order_acquire)) {
    return (*block)[index % block_size].body;
  }
  if (packed_) {
    Reader in(packed_->bytes(offsets_[index], offsets_[index + 1] - offsets_[index]));
    return record::decode_info(in).body;
  }
  const Loaded* from = loaded_.load(std::memory_order_acquire);
  if (from == nullptr) {
    load(true);
    from = loaded_.load(std::memory_order_acquire);
  }
  return from->body(index);
}

std::optional<Sha256> ColdStore::Loaded::body(uint32_t index) const {
  if (!parts) return rescued[index].body;
  const uint8_t* name = this->name(index);
  if (name == nullptr) return {};
  Sha256 body;
  std::copy_n(name, body.size(), body.begin());
  return body;
}

const uint8_t* ColdStore::Loaded::name(uint32_t index) const {
  const uint8_t* names = bytes->data() + parts->names;
  if (parts->all_bodies) return names + size_t{index} * sizeof(Sha256);
  if (!parts->some_bodies) return nullptr;
  const uint8_t* bits = bytes->data() + parts->bitmap;
  if ((bits[index / 8] >> index % 8 & 1) == 0) return nullptr;
  auto rank = static_cast<size_t>(__builtin_popcount(bits[index / 8] & ((1u << index % 8) - 1)));
  for (uint32_t i = 0; i < index / 8; ++i) rank += static_cast<size_t>(__builtin_popcount(bits[i]));
  return names + rank * sizeof(Sha256);
}

std::optional<ColdStore::Parts> ColdStore::parse(std::span<const uint8_t> bytes, uint32_t count) {
  Reader in(bytes);
  Parts p;
  auto here = [&] { return static_cast<uint32_t>(bytes.size() - in.left()); };
  auto mode = in.get<uint8_t>();
  if (mode > 2) in.fail();
  size_t bodies = mode == 1 ? count : 0;
  p.all_bodies = mode == 1;
  p.some_bodies = mode == 2;
  p.bitmap = here();
  if (mode == 2) {
    std::span<const uint8_t> bitmap = in.bytes((count + 7) / 8);
    for (uint8_t b : bitmap) bodies += static_cast<size_t>(__builtin_popcount(b));
    if (!bitmap.empty() && count % 8 != 0 && bitmap.back() >> count % 8 != 0) in.fail();
  }
  p.names = here();
  in.bytes(bodies * sizeof(Sha256));
  std::vector<uint64_t> lengths((count + block_size - 1) / block_size);
  for (uint64_t& l : lengths) l = in.varint();
  p.blocks.reserve(lengths.size() + 1);
  for (uint64_t l : lengths) {
    p.blocks.push_back(here());
    if (l == 0 || l > in.left()) in.fail();
    in.bytes(in.ok() ? static_cast<size_t>(l) : 0);
  }
  p.blocks.push_back(here());
  if (!in.ok() || !in.at_end()) return {};
  return p;
}

std::shared_ptr<const ColdStore::Loaded> ColdStore::load(bool keep) const {
  std::lock_guard lock(mutex_);
  if (kept_) return kept_;
  auto made = std::make_shared<Loaded>();
  auto bytes = std::make_shared<Buffer>();
  bytes->resize(place_->length);
  Result<size_t> n = place_->file->file->read_at(place_->offset, {bytes->data(), bytes->size()});
  if (n && *n == bytes->size() && crc32c(bytes->bytes()) == place_->crc) {
    made->parts = parse(bytes->bytes(), packed_count_);
  }
  if (made->parts) {
    made->bytes = std::move(bytes);
  } else {
    place_->file->health->damaged = true;
    for (const UidSet::Range& r : uids_.ranges()) {
      for (uint64_t u = r.first.value; u <= r.last.value; ++u) {
        std::optional<MessageInfo> found = place_->file->rescue(mailbox_, Uid(static_cast<uint32_t>(u)));
        if (!found) place_->file->health->lost = true;
        made->rescued.push_back(found ? std::move(*found) : MessageInfo());
      }
    }
    keep = true;  // once is dear enough
  }
  if (keep) {
    kept_ = made;
    loaded_.store(made.get(), std::memory_order_release);
    place_.reset();
  }
  return made;
}

void ColdStore::unpack_parts(const Loaded& from, uint32_t block, Block& out) const {
  const uint32_t first = block * block_size, end = std::min(first + block_size, packed_count_);
  if (!from.parts) {
    std::copy(from.rescued.begin() + first, from.rescued.begin() + end, out.begin());
    return;
  }
  Reader in(from.bytes->bytes(from.parts->blocks[block], from.parts->blocks[block + 1] - from.parts->blocks[block]));
  int64_t before = 0;
  for (uint32_t i = first; i < end; ++i) {
    MessageInfo& info = out[i - first];
    info = record::decode_packed_info(in, before);
    before = info.date.seconds;
    if (const uint8_t* name = from.name(i)) std::copy_n(name, sizeof(Sha256), info.body.emplace().begin());
  }
}

ColdStore::Block* ColdStore::unpack(uint32_t block) const {
  auto made = std::make_unique<Block>();
  uint32_t from = block * block_size, to = std::min(from + block_size, packed_count_);
  if (!packed_) unpack_parts(*load(true), block, *made);
  for (uint32_t i = from; i < to && packed_; ++i) {
    Reader in(packed_->bytes(offsets_[i], offsets_[i + 1] - offsets_[i]));
    (*made)[i - from] = record::decode_info(in);
  }
  Block* expected = nullptr;
  if (blocks_[block].compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) return made.release();
  return expected;  // another thread was first
}

uint32_t ColdStore::add(MessageInfo info) {
  uint32_t index = next_++;
  Block* block = blocks_[index / block_size].load(std::memory_order_relaxed);
  if (block == nullptr) {
    block = new Block();
    blocks_[index / block_size].store(block, std::memory_order_release);
  }
  (*block)[index % block_size] = std::move(info);
  return index;
}

std::shared_ptr<const Buffer> ColdStore::packed_bytes() const {
  if (packed_ || packed_count_ == 0) return nullptr;
  return load(false)->bytes;
}

std::vector<MessageInfo> ColdStore::infos(const std::vector<uint32_t>& indices, uint32_t n) const {
  std::vector<MessageInfo> all(n);
  Block unpacked;
  std::optional<uint32_t> which;
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t index = indices.empty() ? i : indices[i], number = index / block_size;
    if (const Block* block = blocks_[number].load(std::memory_order_acquire)) {
      all[i] = (*block)[index % block_size];
    } else if (packed_) {
      Reader in(packed_->bytes(offsets_[index], offsets_[index + 1] - offsets_[index]));
      all[i] = record::decode_info(in);
    } else {
      if (which != number) {
        unpacked = Block();
        unpack_parts(*load(true), number, unpacked);
        which = number;
      }
      all[i] = unpacked[index % block_size];
    }
  }
  return all;
}

void ColdStore::bodies(const std::vector<uint32_t>& indices, uint32_t n, std::vector<Sha256>& out) const {
  std::shared_ptr<const Loaded> from;
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t index = indices.empty() ? i : indices[i];
    std::optional<Sha256> name;
    if (const Block* block = blocks_[index / block_size].load(std::memory_order_acquire)) {
      name = (*block)[index % block_size].body;
    } else if (packed_) {
      name = body(index);
    } else {
      if (!from) from = load(false);
      name = from->body(index);
    }
    if (name) out.push_back(*name);
  }
}

bool ColdStore::in_memory() const {
  if (packed_ || loaded_.load(std::memory_order_acquire) != nullptr) return true;
  return std::any_of(blocks_.begin(), blocks_.end(),
                     [](const std::atomic<Block*>& b) { return b.load(std::memory_order_relaxed) != nullptr; });
}

void ColdStore::moved(Place place) const {
  std::lock_guard lock(mutex_);
  if (place_) place_ = std::move(place);
}

}  // namespace storage
