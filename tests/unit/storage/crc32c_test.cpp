#include "storage/crc32c.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/base/bytes.h"

namespace storage {
namespace {

std::vector<uint8_t> pattern(size_t n) {
  std::vector<uint8_t> v(n);
  uint32_t x = 12345;
  for (uint8_t& b : v) b = static_cast<uint8_t>((x = x * 1664525 + 1013904223) >> 24);
  return v;
}

TEST(Crc32c, gives_the_published_values) {
  EXPECT_EQ(crc32c({}), 0u);
  EXPECT_EQ(crc32c(wire::base::as_bytes("123456789")), 0xe3069283u);
  std::vector<uint8_t> zeros(32), ones(32, 0xff);
  EXPECT_EQ(crc32c(zeros), 0x8a9136aau);  // RFC 3720 B.4
  EXPECT_EQ(crc32c(ones), 0x62a8ab43u);
}

TEST(Crc32c, is_the_same_by_either_way_at_any_length_and_alignment) {
  std::vector<uint8_t> v = pattern(20000);
  for (size_t n : {0u, 1u, 7u, 8u, 9u, 1023u, 1024u, 3071u, 3072u, 3073u, 6144u, 19990u}) {
    for (size_t from = 0; from < 9; ++from) {
      std::span<const uint8_t> s(v.data() + from, n);
      EXPECT_EQ(crc32c(s), crc32c_portable(s)) << n << ' ' << from;
    }
  }
}

TEST(Crc32c, continues_and_combines) {
  std::vector<uint8_t> v = pattern(9000);
  std::span<const uint8_t> all(v);
  for (size_t cut : {0u, 1u, 100u, 4096u, 8999u, 9000u}) {
    uint32_t a = crc32c(all.first(cut)), b = crc32c(all.subspan(cut));
    EXPECT_EQ(crc32c(all.subspan(cut), a), crc32c(all));
    EXPECT_EQ(crc32c_combine(a, b, 9000 - cut), crc32c(all));
  }
}

}  // namespace
}  // namespace storage
