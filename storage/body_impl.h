// What is behind body.h. Private to storage.
#pragma once

#include <atomic>
#include <mutex>

#include "storage/body.h"
#include "storage/body_codec.h"
#include "storage/env.h"

namespace storage {

// Buffers that a writer's messages hand back: an import allocates none a message.
class BufferPool {
 public:
  Buffer take();
  void give(Buffer buffer);

 private:
  static constexpr size_t kept_capacity = 8u << 20;  // what one large import would otherwise hold for good
  std::mutex mutex_;                                 // a prepared body may end on another thread than the writer's
  std::vector<Buffer> free_;
};

// Where a body goes that is too big for memory: a file that has lost its name already, so a crash leaves nothing.
struct Spool {
  Env* env = nullptr;
  std::filesystem::path directory;
  std::shared_ptr<std::atomic<uint64_t>> counter;
  Result<std::shared_ptr<File>> open() const;
};
constexpr size_t spool_above = 1u << 20;

class PreparedBody::Impl {
 public:
  ~Impl() {
    if (pool) pool->give(std::move(raw));
  }
  bool small() const { return head.blocks.empty(); }
  Result<size_t> read(uint64_t offset, std::span<uint8_t> out);
  // The stored blocks from `offset` on, for the log.
  Result<size_t> read_stored(uint64_t offset, std::span<uint8_t> out) const;

  BodyHead head;  // blocks empty: all bytes are in `raw`, not compressed yet
  Buffer raw;
  Buffer stored;  // compressed blocks, if there is no spool
  std::shared_ptr<File> spool;
  uint32_t stored_crc = 0;  // of all blocks together
  std::shared_ptr<BufferPool> pool;

 private:
  Buffer cache_, stored_cache_;
  size_t cached_ = SIZE_MAX;
};

class BodyWriter::Impl {
 public:
  explicit Impl(Spool spool) : spool_(std::move(spool)) {}
  Result<void> write(std::span<const uint8_t> bytes);
  Result<PreparedBody> finish();
  void reset();

 private:
  Result<void> end_block();
  Result<void> spill();

  Spool spool_;
  std::shared_ptr<BufferPool> pool_ = std::make_shared<BufferPool>();
  Sha256Hasher hasher_;
  Buffer raw_, stored_;
  std::vector<BodyBlock> blocks_;
  std::shared_ptr<File> file_;
  uint64_t size_ = 0, spooled_ = 0;
  uint32_t stored_crc_ = 0;
  bool failed_ = false;
};

}  // namespace storage
