// The bytes of derived.data (docs/derived-data.md): a header, then groups. A group is a directory of at most 1,024
// entries and, for each column, their blobs one after another in blocks of about 64 KiB, compressed one by one.
// Values; any thread. Private to storage. What a blob means is the caller's.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "storage/coding.h"
#include "storage/frame.h"
#include "storage/types.h"

namespace storage {

constexpr size_t derived_columns_max = 8;
constexpr size_t derived_block_size = 64u << 10;  // a longer blob is cut; shorter ones never span two blocks
constexpr size_t derived_group_entries = 1024;    // a directory of about 30 KB
constexpr size_t derived_group_bytes = 4u << 20;  // of blobs: then the group is full
constexpr size_t derived_blob_max = 8u << 20;     // what a reader may have to put together

// The first half of the body's name: 2^64 work to make two that are equal, and an entry is never more than a cache.
using DerivedKey = std::array<uint8_t, 16>;
DerivedKey derived_key(const Sha256& name);

struct DerivedHeader {
  static constexpr size_t size = 64;
  static constexpr uint32_t version = 1;
  AccountId account{};
  uint32_t content = 0;  // the caller's number for what the blobs mean
  uint8_t columns = 0;
  uint64_t salt = 0;

  std::array<uint8_t, size> encode() const;
  static std::optional<DerivedHeader> decode(std::span<const uint8_t> bytes);  // nullopt: damaged, another version
};

// Stored bytes with a checksum: the directory, or a block.
struct DerivedPiece {
  uint32_t raw = 0, stored = 0;
  bool plain = false;  // did not shrink
  uint32_t crc = 0;    // of the stored bytes
};
// Appends to `out`.
DerivedPiece derived_compress(Buffer& out, std::span<const uint8_t> raw);
// False: damaged. `out` is made as long as the piece was.
bool derived_decompress(const DerivedPiece& piece, std::span<const uint8_t> stored, Buffer& out);

struct DerivedGroupHeader {
  static constexpr size_t size = 48;
  uint32_t count = 0;
  uint32_t length = 0;  // of what follows the header
  uint64_t offset = 0;  // where the header is: a group that was moved is none
  DerivedPiece directory;

  std::array<uint8_t, size> encode(uint64_t salt) const;
  static std::optional<DerivedGroupHeader> decode(std::span<const uint8_t> bytes, uint64_t salt, uint64_t offset);
};

struct DerivedDirectory {
  struct Block {
    uint8_t column = 0;
    DerivedPiece piece;
    uint32_t at = 0;     // from the end of the directory; not stored
    uint32_t begin = 0;  // of its raw bytes in its column; not stored
  };
  std::vector<DerivedKey> keys;
  std::vector<uint8_t> marks;
  std::array<std::vector<uint32_t>, derived_columns_max> ends;  // of each entry's blob in its column
  std::vector<Block> blocks;                                    // by column, in order
  std::array<uint32_t, derived_columns_max + 1> first_block{};

  void encode(Buffer& out, size_t columns) const;
  // nullopt: it does not fit together.
  static std::optional<DerivedDirectory> decode(std::span<const uint8_t> bytes, size_t count, size_t columns);
};

}  // namespace storage
