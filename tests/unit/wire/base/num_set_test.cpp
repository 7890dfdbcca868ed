#include "wire/base/num_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace wire::base {
namespace {

TEST(NumSet, joins_what_touches) {
  UidSet s;
  s.add(Uid(5));
  s.add(Uid(7));
  EXPECT_EQ(s.to_string(), "5,7");
  s.add(Uid(6));
  EXPECT_EQ(s.to_string(), "5:7");
  s.add(Uid(20), Uid(10));
  s.add(Uid(8), Uid(9));
  EXPECT_EQ(s.to_string(), "5:20");
  s.add(Uid(1), Uid(UINT32_MAX));
  EXPECT_EQ(s.count(), UINT32_MAX);
  EXPECT_TRUE(s.contains(Uid(UINT32_MAX)));
  EXPECT_FALSE(s.contains(Uid(0)));
}

// The same numbers in a std::set: a reference that is hard to get wrong.
TEST(NumSet, agrees_with_a_plain_set) {
  std::mt19937 random(20261121);
  for (int round = 0; round < 300; ++round) {
    UidSet set;
    std::set<uint32_t> plain;
    for (int i = 0; i < 40; ++i) {
      uint32_t first = random() % 100, last = random() % 4 == 0 ? random() % 100 : first;
      set.add(Uid(first), Uid(last));
      if (last < first) std::swap(first, last);
      for (uint32_t n = first; n <= last; ++n) plain.insert(n);
    }
    ASSERT_EQ(set.count(), plain.size());
    for (uint32_t n = 0; n < 110; ++n)
      ASSERT_EQ(set.contains(Uid(n)), plain.count(n) == 1) << n << " in " << set.to_string();
    std::vector<uint32_t> walked;
    set.for_each([&](Uid n) { walked.push_back(n.value); });
    ASSERT_TRUE(std::equal(walked.begin(), walked.end(), plain.begin(), plain.end()));
    for (size_t i = 1; i < set.ranges().size(); ++i) {
      ASSERT_GT(set.ranges()[i].first.value, set.ranges()[i - 1].last.value + 1) << set.to_string();
    }
  }
}

}  // namespace
}  // namespace wire::base
