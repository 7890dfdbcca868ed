#include "storage/derived_format.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "storage/crc32c.h"

namespace storage {
namespace {

constexpr std::string_view file_magic = "FLDERIV1";
constexpr uint64_t group_magic = 0x3150524756524446;  // "FDRVGRP1"
constexpr uint32_t plain_mark = 0x80000000;
// Made in the background, read often. Above 3 a group costs twice the time for 3 % less.
constexpr int level = 3;

struct FreeCompressor {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
};
struct FreeDecompressor {
  void operator()(ZSTD_DCtx* d) const { ZSTD_freeDCtx(d); }
};

ZSTD_CCtx* compressor() {
  thread_local std::unique_ptr<ZSTD_CCtx, FreeCompressor> context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  return context.get();
}

ZSTD_DCtx* decompressor() {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context(ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  return context.get();
}

void put_piece(uint8_t* p, const DerivedPiece& piece) {
  store_le<uint32_t>(p, piece.raw);
  store_le<uint32_t>(p + 4, piece.stored | (piece.plain ? plain_mark : 0));
  store_le<uint32_t>(p + 8, piece.crc);
}

DerivedPiece get_piece(const uint8_t* p) {
  DerivedPiece piece;
  const auto stored = load_le<uint32_t>(p + 4);
  piece.raw = load_le<uint32_t>(p);
  piece.stored = stored & ~plain_mark;
  piece.plain = (stored & plain_mark) != 0;
  piece.crc = load_le<uint32_t>(p + 8);
  return piece;
}

}  // namespace

DerivedKey derived_key(const Sha256& name) {
  DerivedKey key;
  std::copy_n(name.begin(), key.size(), key.begin());
  return key;
}

std::array<uint8_t, DerivedHeader::size> DerivedHeader::encode() const {
  std::array<uint8_t, size> out{};
  std::copy(file_magic.begin(), file_magic.end(), out.begin());
  store_le<uint32_t>(out.data() + 8, version);
  store_le<uint32_t>(out.data() + 12, static_cast<uint32_t>(size));
  std::copy(account.begin(), account.end(), out.begin() + 16);
  store_le<uint32_t>(out.data() + 32, content);
  out[36] = columns;
  store_le<uint64_t>(out.data() + 40, salt);
  store_le<uint32_t>(out.data() + 60, crc32c({out.data(), 60}));
  return out;
}

std::optional<DerivedHeader> DerivedHeader::decode(std::span<const uint8_t> bytes) {
  if (bytes.size() < size || !std::equal(file_magic.begin(), file_magic.end(), bytes.begin())) return {};
  if (crc32c(bytes.first(60)) != load_le<uint32_t>(bytes.data() + 60)) return {};
  if (load_le<uint32_t>(bytes.data() + 8) != version || load_le<uint32_t>(bytes.data() + 12) != size) return {};
  DerivedHeader h;
  std::copy_n(bytes.begin() + 16, h.account.size(), h.account.begin());
  h.content = load_le<uint32_t>(bytes.data() + 32);
  h.columns = bytes[36];
  h.salt = load_le<uint64_t>(bytes.data() + 40);
  if (h.columns == 0 || h.columns > derived_columns_max) return {};
  return h;
}

DerivedPiece derived_compress(Buffer& out, std::span<const uint8_t> raw) {
  const size_t start = out.size(), bound = ZSTD_compressBound(raw.size());
  uint8_t* p = out.extend(bound);
  size_t n = ZSTD_compressCCtx(compressor(), p, bound, raw.data(), raw.size(), level);
  DerivedPiece piece;
  piece.raw = static_cast<uint32_t>(raw.size());
  if (ZSTD_isError(n) || n >= raw.size()) {
    piece.plain = true;
    n = raw.size();
    if (n > 0) std::memcpy(p, raw.data(), n);
  }
  piece.stored = static_cast<uint32_t>(n);
  piece.crc = crc32c({p, n});
  out.resize(start + n);
  return piece;
}

bool derived_decompress(const DerivedPiece& piece, std::span<const uint8_t> stored, Buffer& out) {
  if (stored.size() != piece.stored || crc32c(stored) != piece.crc) return false;
  out.resize(piece.raw);
  if (piece.plain) {
    if (piece.raw != piece.stored) return false;
    if (piece.raw > 0) std::memcpy(out.data(), stored.data(), stored.size());
    return true;
  }
  const size_t n = ZSTD_decompressDCtx(decompressor(), out.data(), out.size(), stored.data(), stored.size());
  return !ZSTD_isError(n) && n == out.size();
}

std::array<uint8_t, DerivedGroupHeader::size> DerivedGroupHeader::encode(uint64_t salt) const {
  std::array<uint8_t, size> out{};
  store_le<uint64_t>(out.data(), group_magic ^ salt);
  store_le<uint32_t>(out.data() + 8, count);
  store_le<uint32_t>(out.data() + 12, length);
  store_le<uint64_t>(out.data() + 16, offset);
  put_piece(out.data() + 24, directory);
  store_le<uint32_t>(out.data() + 44, crc32c({out.data(), 44}));
  return out;
}

std::optional<DerivedGroupHeader> DerivedGroupHeader::decode(std::span<const uint8_t> bytes, uint64_t salt,
                                                             uint64_t offset) {
  if (bytes.size() < size || load_le<uint64_t>(bytes.data()) != (group_magic ^ salt)) return {};
  if (crc32c(bytes.first(44)) != load_le<uint32_t>(bytes.data() + 44)) return {};
  DerivedGroupHeader h;
  h.count = load_le<uint32_t>(bytes.data() + 8);
  h.length = load_le<uint32_t>(bytes.data() + 12);
  h.offset = load_le<uint64_t>(bytes.data() + 16);
  h.directory = get_piece(bytes.data() + 24);
  if (h.offset != offset || h.count == 0 || h.count > derived_group_entries) return {};
  // 4 MiB of directory and 64 MiB in all are beyond what the limits of a group allow.
  if (h.directory.stored > h.length || h.directory.raw > (4u << 20) || h.length > (64u << 20)) return {};
  return h;
}

void DerivedDirectory::encode(Buffer& out, size_t columns) const {
  for (const DerivedKey& key : keys) out.put_bytes(key);
  out.put_bytes(marks);
  for (size_t c = 0; c < columns; ++c) {
    uint32_t before = 0;
    for (uint32_t end : ends[c]) {
      out.put_varint(end - before);
      before = end;
    }
  }
  out.put_varint(blocks.size());
  for (const Block& b : blocks) {
    out.put<uint8_t>(b.column);
    put_piece(out.extend(12), b.piece);
  }
}

std::optional<DerivedDirectory> DerivedDirectory::decode(std::span<const uint8_t> bytes, size_t count, size_t columns) {
  Reader in(bytes);
  DerivedDirectory d;
  const std::span<const uint8_t> keys = in.bytes(count * sizeof(DerivedKey)), marks = in.bytes(count);
  if (!in.ok()) return {};
  d.keys.resize(count);
  for (size_t i = 0; i < count; ++i)
    std::copy_n(keys.begin() + i * sizeof(DerivedKey), sizeof(DerivedKey), d.keys[i].begin());
  d.marks.assign(marks.begin(), marks.end());
  for (size_t c = 0; c < columns; ++c) {
    uint64_t end = 0;
    d.ends[c].reserve(count);
    for (size_t i = 0; i < count; ++i) {
      end += in.varint();
      if (!in.ok() || end > (64u << 20)) return {};
      d.ends[c].push_back(static_cast<uint32_t>(end));
    }
  }
  d.blocks.resize(in.count(13));
  uint32_t at = 0;
  size_t column = 0;
  uint64_t raw = 0;
  for (size_t b = 0; b < d.blocks.size(); ++b) {
    Block& block = d.blocks[b];
    block.column = in.get<uint8_t>();
    const std::span<const uint8_t> piece = in.bytes(12);
    if (!in.ok() || block.column < column || block.column >= columns) return {};
    for (; column < block.column; ++column) {
      if (raw != d.ends[column].back()) return {};
      raw = 0;
      d.first_block[column + 1] = static_cast<uint32_t>(b);
    }
    block.piece = get_piece(piece.data());
    if (block.piece.raw == 0 || block.piece.raw > derived_block_size || block.piece.stored > derived_block_size)
      return {};
    block.at = at;
    block.begin = static_cast<uint32_t>(raw);
    at += block.piece.stored;
    raw += block.piece.raw;
  }
  for (; column < columns; ++column) {
    if (raw != d.ends[column].back()) return {};
    raw = 0;
    d.first_block[column + 1] = static_cast<uint32_t>(d.blocks.size());
  }
  if (!in.ok() || !in.at_end()) return {};
  return d;
}

}  // namespace storage
