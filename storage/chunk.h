// At most 1,024 messages, packed: 20 bytes each for what every command touches, 24 once one of them was changed; the
// rest apart.
//
// A chunk is written by the account's owner while its token is that of the batch in progress, and is immutable once a
// snapshot can hold it; a later batch copies it (the hot part only: the cold part is shared and only ever added to).
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "storage/cold_store.h"

namespace storage {

constexpr size_t mask_keywords = 55;                  // bits 8..62
constexpr uint64_t overflow_bit = uint64_t{1} << 63;  // the message also has keywords beyond the mask

// A number that is worked out when first asked for; of a copy it is unknown again. Any thread may ask.
class Lazily {
 public:
  Lazily() = default;
  Lazily(const Lazily&) {}
  Lazily& operator=(const Lazily&) {
    forget();
    return *this;
  }
  template <class F>
  uint32_t get(F&& work_out) const {
    uint32_t v = value_.load(std::memory_order_relaxed);
    if (v == unknown) value_.store(v = work_out(), std::memory_order_relaxed);
    return v;
  }
  void forget() { value_.store(unknown, std::memory_order_relaxed); }

 private:
  static constexpr uint32_t unknown = UINT32_MAX;
  mutable std::atomic<uint32_t> value_{unknown};
};

struct MessageChunk {
  uint64_t token = 0;
  std::vector<uint32_t> uid;
  std::vector<uint64_t> modseq;
  std::vector<uint64_t> flags;       // as MailboxSnapshot::flag_bits
  std::vector<uint32_t> cold_index;  // empty: each message has its own number there
  std::shared_ptr<ColdStore> cold = std::make_shared<ColdStore>();
  // UID -> numbers of its keywords beyond the mask, ascending. Null in all but odd mailboxes.
  using Overflow = std::map<uint32_t, std::vector<uint32_t>>;
  std::shared_ptr<const Overflow> overflow;

  uint32_t size() const { return static_cast<uint32_t>(uid.size()); }
  uint32_t cold_at(uint32_t i) const { return cold_index.empty() ? i : cold_index[i]; }
  const MessageInfo& info(uint32_t i) const { return cold->at(cold_at(i)); }
  // Position of the first UID >= `u`.
  uint32_t lower_bound(uint32_t u) const;
  const std::vector<uint32_t>* overflow_of(uint32_t i) const;
  uint32_t unseen() const { return counts() & 0xffff; }
  uint32_t deleted() const { return counts() >> 16; }
  // The same messages in the same state.
  bool same_as(const MessageChunk& other) const;
  // The same with its cold part at `place`, where that part was written, and nowhere else.
  std::shared_ptr<MessageChunk> packed(MailboxKey mailbox, ColdStore::Place place) const;

  std::shared_ptr<MessageChunk> copy(uint64_t new_token) const;
  void set_overflow(uint32_t u, std::vector<uint32_t> keywords);
  void set_info(uint32_t i, MessageInfo info);
  void insert(uint32_t i, uint32_t u, uint64_t m, uint64_t f, MessageInfo info);
  // Appends messages [from, to) of another chunk.
  void append_from(const MessageChunk& other, uint32_t from, uint32_t to);
  void changed() { counts_.forget(); }

 private:
  uint32_t counts() const;
  void own_index();
  void repack();  // cold parts that nobody refers to any more go
  Lazily counts_;
};

}  // namespace storage
