// A body's bytes on disk: a head (name, length, table of blocks) and blocks of at most 256 KiB, each compressed on its
// own and with its own checksum, so that any offset is read with the memory of one block (docs/storage-format.md).
// zstd's contexts are large and slow to make: each thread keeps one of each for as long as it lives.
#pragma once

#include <memory>
#include <vector>

#include "storage/coding.h"
#include "storage/types.h"

struct evp_md_ctx_st;

namespace storage {

constexpr size_t body_block_size = 256u << 10;

struct BodyBlock {
  uint32_t stored = 0;  // bytes on disk
  bool raw = false;     // did not shrink: stored as it is
  uint32_t crc = 0;     // CRC32C of the stored bytes
};

struct BodyHead {
  static constexpr size_t fixed_size = 60;
  Sha256 name{};
  uint64_t size = 0;
  uint32_t dictionary = 0;  // reserved: 0, none
  std::vector<BodyBlock> blocks;

  size_t encoded_size() const { return fixed_size + 8 * blocks.size(); }
  void encode(uint8_t* out) const;
  uint64_t stored_size() const;
  uint64_t raw_size(size_t block) const;  // of one block

  // How long the head is that starts with these fixed_size bytes; 0: impossible.
  static size_t length(std::span<const uint8_t> fixed);
  static Result<BodyHead> decode(std::span<const uint8_t> head);
};

// Appends a block to `out`; `crc` is that of what was appended.
BodyBlock compress_block(Buffer& out, std::span<const uint8_t> raw);
// `out` is exactly as long as the block was. Errc::corrupt.
Result<void> decompress_block(const BodyBlock& block, std::span<const uint8_t> stored, std::span<uint8_t> out);

class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(const Sha256Hasher&) = delete;
  Sha256Hasher& operator=(const Sha256Hasher&) = delete;
  void reset();
  void update(std::span<const uint8_t> bytes);
  Sha256 finish();  // reset() before the next

 private:
  evp_md_ctx_st* context_;
};

std::string to_hex(const Sha256& hash);

}  // namespace storage
