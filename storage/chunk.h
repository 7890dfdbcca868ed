// At most 1,024 messages, packed: 24 bytes each for what every command touches, the rest apart.
//
// A chunk is written by the account's owner while its token is that of the batch in progress, and is immutable once a
// snapshot can hold it; a later batch copies it (the hot part only: the cold part is shared and only ever added to).
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "storage/coding.h"
#include "storage/types.h"

namespace storage {

constexpr size_t chunk_capacity = 1024;
constexpr size_t mask_keywords = 55;                  // bits 8..62
constexpr uint64_t overflow_bit = uint64_t{1} << 63;  // the message also has keywords beyond the mask

// Messages' cold parts, at fixed addresses for ever, so that snapshots may refer to them while more are added. What
// came out of index.snap stays packed until somebody asks; any thread may ask.
class ColdStore {
 public:
  ColdStore() = default;
  // `offsets`: where each packed part starts in `packed`, and one more for the end.
  ColdStore(std::shared_ptr<const Buffer> packed, std::vector<uint32_t> offsets);
  // Format 2 of index.snap: where the parts of a chunk are in `packed`.
  struct Packed {
    uint32_t count = 0;
    std::vector<uint32_t> blocks;  // of block_size messages each, and the end
    uint32_t end = 0;
    uint32_t names = 0, bitmap = 0;  // of the bodies; bitmap 0: none or all have one
    bool all_bodies = false;
  };
  ColdStore(std::shared_ptr<const Buffer> packed, Packed parts);
  ~ColdStore();
  ColdStore(const ColdStore&) = delete;
  ColdStore& operator=(const ColdStore&) = delete;

  const MessageInfo& at(uint32_t index) const;
  // The message's body, without unpacking what is still packed: for those who look at all messages once.
  std::optional<Sha256> body(uint32_t index) const;
  bool full() const { return next_ == block_size * block_count; }
  uint32_t add(MessageInfo info);  // owner thread; not when full()

  static constexpr uint32_t block_size = 16, block_count = 256;

 private:
  using Block = std::array<MessageInfo, block_size>;
  Block* unpack(uint32_t block) const;
  void unpack_parts(uint32_t block, Block& out) const;
  const uint8_t* packed_name(uint32_t index) const;  // null: no body

  std::shared_ptr<const Buffer> packed_;
  std::vector<uint32_t> offsets_;  // format 1
  std::optional<Packed> parts_;    // format 2
  uint32_t packed_count_ = 0;
  uint32_t next_ = 0;
  mutable std::array<std::atomic<Block*>, block_count> blocks_{};
};

struct MessageChunk {
  uint64_t token = 0;
  std::vector<uint32_t> uid;
  std::vector<uint64_t> modseq;
  std::vector<uint64_t> flags;  // as MailboxSnapshot::flag_bits
  std::vector<uint32_t> cold_index;
  std::shared_ptr<ColdStore> cold = std::make_shared<ColdStore>();
  // UID -> numbers of its keywords beyond the mask, ascending. Null in all but odd mailboxes.
  using Overflow = std::map<uint32_t, std::vector<uint32_t>>;
  std::shared_ptr<const Overflow> overflow;

  uint32_t size() const { return static_cast<uint32_t>(uid.size()); }
  const MessageInfo& info(uint32_t i) const { return cold->at(cold_index[i]); }
  // Position of the first UID >= `u`.
  uint32_t lower_bound(uint32_t u) const;
  const std::vector<uint32_t>* overflow_of(uint32_t i) const;

  std::shared_ptr<MessageChunk> copy(uint64_t new_token) const;
  void set_overflow(uint32_t u, std::vector<uint32_t> keywords);
  void set_info(uint32_t i, MessageInfo info);
  void insert(uint32_t i, uint32_t u, uint64_t m, uint64_t f, MessageInfo info);
  // Appends messages [from, to) of another chunk.
  void append_from(const MessageChunk& other, uint32_t from, uint32_t to);

 private:
  void repack();  // cold parts that nobody refers to any more go
};

}  // namespace storage
