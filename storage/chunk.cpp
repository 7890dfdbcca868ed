#include "storage/chunk.h"

#include <algorithm>

#include "storage/record.h"

namespace storage {

ColdStore::ColdStore(std::shared_ptr<const Buffer> packed, std::vector<uint32_t> offsets)
    : packed_(std::move(packed)),
      offsets_(std::move(offsets)),
      packed_count_(static_cast<uint32_t>(offsets_.size() - 1)),
      // Added ones start a block of their own: a block is either unpacked as a whole or filled one by one.
      next_((packed_count_ + block_size - 1) / block_size * block_size) {}

ColdStore::ColdStore(std::shared_ptr<const Buffer> packed, Packed parts)
    : packed_(std::move(packed)),
      parts_(std::move(parts)),
      packed_count_(parts_->count),
      next_((packed_count_ + block_size - 1) / block_size * block_size) {}

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
  if (!parts_) {
    Reader in(packed_->bytes(offsets_[index], offsets_[index + 1] - offsets_[index]));
    return record::decode_info(in).body;
  }
  const uint8_t* name = packed_name(index);
  if (name == nullptr) return {};
  Sha256 body;
  std::copy_n(name, body.size(), body.begin());
  return body;
}

ColdStore::Block* ColdStore::unpack(uint32_t block) const {
  auto made = std::make_unique<Block>();
  uint32_t from = block * block_size, to = std::min(from + block_size, packed_count_);
  if (parts_) unpack_parts(block, *made);
  for (uint32_t i = from; i < to && !parts_; ++i) {
    Reader in(packed_->bytes(offsets_[i], offsets_[i + 1] - offsets_[i]));
    (*made)[i - from] = record::decode_info(in);
  }
  Block* expected = nullptr;
  if (blocks_[block].compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) return made.release();
  return expected;  // another thread was first
}

const uint8_t* ColdStore::packed_name(uint32_t index) const {
  const Packed& p = *parts_;
  if (p.all_bodies) return packed_->data() + p.names + size_t{index} * sizeof(Sha256);
  if (p.bitmap == 0) return nullptr;
  const uint8_t* bits = packed_->data() + p.bitmap;
  if ((bits[index / 8] >> index % 8 & 1) == 0) return nullptr;
  auto rank = static_cast<size_t>(__builtin_popcount(bits[index / 8] & ((1u << index % 8) - 1)));
  for (uint32_t i = 0; i < index / 8; ++i) rank += static_cast<size_t>(__builtin_popcount(bits[i]));
  return packed_->data() + p.names + rank * sizeof(Sha256);
}

void ColdStore::unpack_parts(uint32_t block, Block& out) const {
  const Packed& p = *parts_;
  Reader in(packed_->bytes(p.blocks[block], p.blocks[block + 1] - p.blocks[block]));
  uint32_t from = block * block_size, to = std::min(from + block_size, packed_count_);
  int64_t before = 0;
  for (uint32_t i = from; i < to; ++i) {
    MessageInfo& info = out[i - from];
    info = record::decode_packed_info(in, before);
    before = info.date.seconds;
    if (const uint8_t* name = packed_name(i)) std::copy_n(name, sizeof(Sha256), info.body.emplace().begin());
  }
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

uint32_t MessageChunk::lower_bound(uint32_t u) const {
  return static_cast<uint32_t>(std::lower_bound(uid.begin(), uid.end(), u) - uid.begin());
}

const std::vector<uint32_t>* MessageChunk::overflow_of(uint32_t i) const {
  if (!(flags[i] & overflow_bit) || !overflow) return nullptr;
  auto it = overflow->find(uid[i]);
  return it == overflow->end() ? nullptr : &it->second;
}

std::shared_ptr<MessageChunk> MessageChunk::copy(uint64_t new_token) const {
  auto c = std::make_shared<MessageChunk>(*this);
  c->token = new_token;
  return c;
}

void MessageChunk::set_overflow(uint32_t u, std::vector<uint32_t> keywords) {
  if (!overflow && keywords.empty()) return;
  auto changed = overflow ? std::make_shared<Overflow>(*overflow) : std::make_shared<Overflow>();
  if (keywords.empty()) {
    changed->erase(u);
  } else {
    (*changed)[u] = std::move(keywords);
  }
  overflow = changed->empty() ? nullptr : std::move(changed);
}

void MessageChunk::set_info(uint32_t i, MessageInfo info) {
  if (cold->full()) repack();
  cold_index[i] = cold->add(std::move(info));
}

void MessageChunk::insert(uint32_t i, uint32_t u, uint64_t m, uint64_t f, MessageInfo info) {
  if (cold->full()) repack();
  uint32_t c = cold->add(std::move(info));
  uid.insert(uid.begin() + i, u);
  modseq.insert(modseq.begin() + i, m);
  flags.insert(flags.begin() + i, f);
  cold_index.insert(cold_index.begin() + i, c);
}

void MessageChunk::append_from(const MessageChunk& other, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i < to; ++i) {
    insert(size(), other.uid[i], other.modseq[i], other.flags[i], other.info(i));
    if (const std::vector<uint32_t>* o = other.overflow_of(i)) set_overflow(other.uid[i], *o);
  }
}

void MessageChunk::repack() {
  auto fresh = std::make_shared<ColdStore>();
  for (uint32_t& c : cold_index) c = fresh->add(cold->at(c));
  cold = std::move(fresh);
}

}  // namespace storage
