#include "storage/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace storage {
namespace {

constexpr uint32_t polynomial = 0x82f63b78;

constexpr std::array<std::array<uint32_t, 256>, 8> make_tables() {
  std::array<std::array<uint32_t, 256>, 8> t{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c >> 1) ^ ((c & 1) ? polynomial : 0);
    t[0][i] = c;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t i = 0; i < 256; ++i) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xff];
  }
  return t;
}
constexpr auto tables = make_tables();

// a * b modulo the polynomial; bit 31 is x^0 (reflected).
constexpr uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = (b >> 1) ^ ((b & 1) ? polynomial : 0);
  }
  return product;
}

// x^(8 * bytes) modulo the polynomial: what a CRC is multiplied by when that many bytes follow.
constexpr uint32_t shift_factor(uint64_t bytes) {
  uint32_t factor = 0x80000000u, square = 0x00800000u;  // x^0 and x^8
  for (; bytes != 0; bytes >>= 1) {
    if (bytes & 1) factor = multiply(square, factor);
    square = multiply(square, square);
  }
  return factor;
}

// Multiplication by one fixed factor as four look-ups.
using ShiftTable = std::array<std::array<uint32_t, 256>, 4>;
constexpr ShiftTable make_shift(uint64_t bytes) {
  ShiftTable t{};
  uint32_t factor = shift_factor(bytes);
  std::array<uint32_t, 32> bit{};  // product of factor and 1 << k
  for (size_t k = 0; k < 32; ++k) bit[k] = multiply(factor, uint32_t{1} << k);
  for (size_t b = 0; b < 4; ++b) {
    for (size_t i = 0; i < 256; ++i) {
      for (size_t k = 0; k < 8; ++k) {
        if (i >> k & 1) t[b][i] ^= bit[b * 8 + k];
      }
    }
  }
  return t;
}

#if defined(__x86_64__)
constexpr size_t stride = 1024;  // three streams of it hide the latency (3) of the instruction
constexpr ShiftTable shift_stride = make_shift(stride);

uint32_t shift(const ShiftTable& t, uint32_t crc) {
  return t[0][crc & 0xff] ^ t[1][crc >> 8 & 0xff] ^ t[2][crc >> 16 & 0xff] ^ t[3][crc >> 24];
}

uint64_t load(const uint8_t* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}

__attribute__((target("sse4.2"))) uint32_t hardware(std::span<const uint8_t> bytes, uint32_t crc) {
  const uint8_t* p = bytes.data();
  size_t n = bytes.size();
  uint64_t a = ~crc;
  while (n >= 3 * stride) {
    uint64_t b = 0, c = 0;
    for (size_t i = 0; i < stride; i += 8) {
      a = _mm_crc32_u64(a, load(p + i));
      b = _mm_crc32_u64(b, load(p + stride + i));
      c = _mm_crc32_u64(c, load(p + 2 * stride + i));
    }
    a = shift(shift_stride, static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
    a = shift(shift_stride, static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(c);
    p += 3 * stride;
    n -= 3 * stride;
  }
  for (; n >= 8; p += 8, n -= 8) a = _mm_crc32_u64(a, load(p));
  auto narrow = static_cast<uint32_t>(a);
  for (; n > 0; ++p, --n) narrow = _mm_crc32_u8(narrow, *p);
  return ~narrow;
}
#endif

}  // namespace

uint32_t crc32c_portable(std::span<const uint8_t> bytes, uint32_t crc) {
  const uint8_t* p = bytes.data();
  size_t n = bytes.size();
  crc = ~crc;
  for (; n >= 8; p += 8, n -= 8) {
    uint32_t low = crc ^ (uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24);
    crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
          tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^ tables[0][p[7]];
  }
  for (; n > 0; ++p, --n) crc = (crc >> 8) ^ tables[0][(crc ^ *p) & 0xff];
  return ~crc;
}

uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t crc) {
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("sse4.2") != 0;
  if (fast) return hardware(bytes, crc);
#endif
  return crc32c_portable(bytes, crc);
}

uint32_t crc32c_combine(uint32_t first, uint32_t second, uint64_t second_length) {
  return multiply(shift_factor(second_length), first) ^ second;
}

}  // namespace storage
