// Messages' cold parts, at fixed addresses for ever, so that snapshots may refer to them while more are added. What
// index.snap has stays there, packed, until somebody asks; any thread may ask.
//
// Nobody who asks gets an error: what cannot be read is made again from the log, and what that does not have either is
// shown as a message without size, date and body. From then on the account writes no index.snap and gives no space back
// until it is opened again (ColdHealth).
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "storage/coding.h"
#include "storage/env.h"
#include "storage/types.h"

namespace storage {

constexpr size_t chunk_capacity = 1024;

// What an account's owner has to know. Any thread.
struct ColdHealth {
  std::atomic<bool> damaged{false};  // a new index.snap is needed
  std::atomic<bool> lost{false};     // a message is shown without what it has: nothing may be decided or written by it
};

// An index.snap of format 2 that cold parts are read from.
struct ColdFile {
  std::shared_ptr<const File> file;
  // A message as the log has it; nothing: it does not have it, or cannot be read either.
  std::function<std::optional<MessageInfo>(MailboxKey mailbox, Uid uid)> rescue;
  std::shared_ptr<ColdHealth> health = std::make_shared<ColdHealth>();
};

class ColdStore {
 public:
  ColdStore() = default;
  // Format 1: where each packed part starts in `packed`, and one more for the end.
  ColdStore(std::shared_ptr<const Buffer> packed, std::vector<uint32_t> offsets);
  // Format 2: `length` bytes from `offset` of a file, with this checksum, for these messages.
  struct Place {
    std::shared_ptr<const ColdFile> file;
    uint64_t offset = 0;
    uint32_t length = 0, crc = 0;
  };
  ColdStore(Place place, MailboxKey mailbox, UidSet uids);
  ~ColdStore();
  ColdStore(const ColdStore&) = delete;
  ColdStore& operator=(const ColdStore&) = delete;

  const MessageInfo& at(uint32_t index) const;
  // The message's body, without unpacking what is still packed.
  std::optional<Sha256> body(uint32_t index) const;
  bool full() const { return next_ == block_size * block_count; }
  uint32_t add(MessageInfo info);  // owner thread; not when full()

  // --- for those who look at all messages once: nothing of it stays in memory.
  // The packed bytes of format 2; null: it is not made of such, or they cannot be read.
  std::shared_ptr<const Buffer> packed_bytes() const;
  // Of the `n` messages with these numbers (empty: 0 to n - 1).
  std::vector<MessageInfo> infos(const std::vector<uint32_t>& indices, uint32_t n) const;
  void bodies(const std::vector<uint32_t>& indices, uint32_t n, std::vector<Sha256>& out) const;

  void moved(Place place) const;  // the same bytes are at another place now
  // Whether something of it is in memory that index.snap could give again, once it is written.
  bool in_memory() const;

  static constexpr uint32_t block_size = 16, block_count = 256;

  // Format 2: where the parts of a chunk are.
  struct Parts {
    std::vector<uint32_t> blocks;    // of block_size messages each, and the end
    uint32_t names = 0, bitmap = 0;  // of the bodies
    bool all_bodies = false, some_bodies = false;
  };
  static std::optional<Parts> parse(std::span<const uint8_t> bytes, uint32_t count);

 private:
  using Block = std::array<MessageInfo, block_size>;
  struct Loaded {
    std::shared_ptr<const Buffer> bytes;
    std::optional<Parts> parts;  // none: made from the log
    std::vector<MessageInfo> rescued;
    const uint8_t* name(uint32_t index) const;  // null: no body
    std::optional<Sha256> body(uint32_t index) const;
  };
  Block* unpack(uint32_t block) const;
  void unpack_parts(const Loaded& from, uint32_t block, Block& out) const;
  std::shared_ptr<const Loaded> load(bool keep) const;

  std::shared_ptr<const Buffer> packed_;  // format 1
  std::vector<uint32_t> offsets_;
  MailboxKey mailbox_;  // format 2
  UidSet uids_;
  uint32_t packed_count_ = 0;
  uint32_t next_ = 0;
  mutable std::mutex mutex_;
  mutable std::optional<Place> place_;
  mutable std::shared_ptr<const Loaded> kept_;
  mutable std::atomic<const Loaded*> loaded_{nullptr};
  mutable std::array<std::atomic<Block*>, block_count> blocks_{};
};

}  // namespace storage
