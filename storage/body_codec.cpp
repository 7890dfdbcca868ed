#include "storage/body_codec.h"

#include <openssl/evp.h>
#include <zstd.h>

#include <algorithm>
#include <stdexcept>

#include "storage/crc32c.h"
#include "storage/dictionary.h"
#include "storage/frame.h"

namespace storage {
namespace {

constexpr int level = 1;  // 3 gains 0.7 % of space for a third more time (measured)
constexpr uint32_t raw_mark = 0x80000000;

// Fetched once: looking the algorithm up costs more than hashing a short message.
const EVP_MD* sha256() {
  static const EVP_MD* md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return md;
}

void check(int ok) {
  if (ok != 1) throw std::runtime_error("SHA-256 is not available");
}

}  // namespace

void BodyHead::encode(uint8_t* out) const {
  std::copy(name.begin(), name.end(), out);
  store_le<uint64_t>(out + 32, size);
  store_le<uint32_t>(out + 40, dictionary);
  store_le<uint32_t>(out + 44, body_block_size);
  store_le<uint32_t>(out + 48, static_cast<uint32_t>(blocks.size()));
  store_le<uint32_t>(out + 52, static_cast<uint32_t>(encoded_size()));
  uint8_t* p = out + fixed_size;
  for (const BodyBlock& b : blocks) {
    store_le<uint32_t>(p, b.stored | (b.raw ? raw_mark : 0));
    store_le<uint32_t>(p + 4, b.crc);
    p += 8;
  }
  uint32_t crc = crc32c({out, 56});
  store_le<uint32_t>(out + 56, crc32c({out + fixed_size, static_cast<size_t>(p - out) - fixed_size}, crc));
}

uint64_t BodyHead::stored_size() const {
  uint64_t n = 0;
  for (const BodyBlock& b : blocks) n += b.stored;
  return n;
}

uint64_t BodyHead::raw_size(size_t block) const {
  return std::min<uint64_t>(body_block_size, size - block * uint64_t{body_block_size});
}

size_t BodyHead::length(std::span<const uint8_t> fixed) {
  if (fixed.size() < fixed_size) return 0;
  uint64_t blocks = load_le<uint32_t>(fixed.data() + 48), length = load_le<uint32_t>(fixed.data() + 52);
  uint64_t size = load_le<uint64_t>(fixed.data() + 32);
  if (size > max_body_size || blocks != (size + body_block_size - 1) / body_block_size) return 0;
  // Room for a few optional fields of later versions behind the table.
  if (length < fixed_size + 8 * blocks || length > fixed_size + 8 * blocks + 65536) return 0;
  return length;
}

Result<BodyHead> BodyHead::decode(std::span<const uint8_t> head) {
  size_t n = length(head);
  if (n == 0 || n > head.size()) return Failure(Errc::corrupt, "impossible head of a body");
  const uint8_t* p = head.data();
  if (crc32c({p + fixed_size, n - fixed_size}, crc32c({p, 56})) != load_le<uint32_t>(p + 56)) {
    return Failure(Errc::corrupt, "checksum of a body's head");
  }
  BodyHead h;
  std::copy_n(p, h.name.size(), h.name.begin());
  h.size = load_le<uint64_t>(p + 32);
  h.dictionary = load_le<uint32_t>(p + 40);
  if (h.dictionary != 0) return Failure(Errc::unsupported, "body with a dictionary");
  if (load_le<uint32_t>(p + 44) != body_block_size) return Failure(Errc::unsupported, "body with other blocks");
  h.blocks.resize(load_le<uint32_t>(p + 48));
  p += fixed_size;
  for (BodyBlock& b : h.blocks) {
    auto stored = load_le<uint32_t>(p);
    b.stored = stored & ~raw_mark;
    b.raw = (stored & raw_mark) != 0;
    b.crc = load_le<uint32_t>(p + 4);
    if (b.stored > body_block_size) return Failure(Errc::corrupt, "impossible block of a body");
    p += 8;
  }
  return h;
}

BodyBlock compress_block(Buffer& out, std::span<const uint8_t> raw) {
  size_t start = out.size(), bound = ZSTD_compressBound(raw.size());
  uint8_t* p = out.extend(bound);
  size_t n = zstd_compress({p, bound}, raw, nullptr, level);
  BodyBlock b;
  if (n == 0 || n >= raw.size()) {
    b.raw = true;
    n = raw.size();
    std::memcpy(p, raw.data(), n);
  }
  b.stored = static_cast<uint32_t>(n);
  b.crc = crc32c({p, n});
  out.resize(start + n);
  return b;
}

Result<void> decompress_block(const BodyBlock& block, std::span<const uint8_t> stored, std::span<uint8_t> out) {
  if (stored.size() != block.stored || crc32c(stored) != block.crc) {
    return Failure(Errc::corrupt, "checksum of a body's block");
  }
  if (block.raw) {
    if (stored.size() != out.size()) return Failure(Errc::corrupt, "length of a body's block");
    std::memcpy(out.data(), stored.data(), out.size());
    return {};
  }
  if (!zstd_decompress(out, stored, nullptr)) return Failure(Errc::corrupt, "body's block does not decompress");
  return {};
}

Sha256Hasher::Sha256Hasher() : context_(EVP_MD_CTX_new()) {
  if (context_ == nullptr) throw std::bad_alloc();
  reset();
}

Sha256Hasher::~Sha256Hasher() { EVP_MD_CTX_free(context_); }

void Sha256Hasher::reset() { check(EVP_DigestInit_ex(context_, sha256(), nullptr)); }

void Sha256Hasher::update(std::span<const uint8_t> bytes) {
  check(EVP_DigestUpdate(context_, bytes.data(), bytes.size()));
}

Sha256 Sha256Hasher::finish() {
  Sha256 h{};
  unsigned n = 0;
  check(EVP_DigestFinal_ex(context_, h.data(), &n));
  return h;
}

std::string to_hex(const Sha256& hash) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string s;
  for (uint8_t b : hash) s += {digits[b >> 4], digits[b & 15]};
  return s;
}

}  // namespace storage
