#include "storage/shared_list.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace {

struct Entry {
  std::string name;
  int value = 0;
  bool operator==(const Entry&) const = default;
};
struct ByName {
  static std::string_view key(const Entry& e) { return e.name; }
};
using List = storage::SharedList<Entry, ByName>;
using Map = std::map<std::string, int, std::less<>>;

std::vector<Entry> elements(const List& list) { return {list.begin(), list.end()}; }

std::vector<Entry> elements(const Map& map) {
  std::vector<Entry> out;
  for (const auto& [name, value] : map) out.push_back({name, value});
  return out;
}

TEST(SharedList, does_what_a_map_does_and_leaves_copies_alone) {
  std::mt19937 random(7);
  List list;
  Map map;
  std::vector<std::pair<List, Map>> kept;
  for (int step = 0; step < 20'000; ++step) {
    // It grows to some 700 elements in the first half and shrinks to few in the second.
    std::string name = std::to_string(random() % 1000);
    const bool put = random() % 10 < (step < 10'000 ? 7u : 2u);
    if (put) {
      EXPECT_EQ(list.put({name, step}), map.insert_or_assign(name, step).second);
    } else {
      EXPECT_EQ(list.erase(std::string_view(name)), map.erase(name) != 0);
    }
    ASSERT_EQ(list.size(), map.size());
    const Entry* found = list.find(std::string_view(name));
    ASSERT_EQ(found != nullptr, put);
    if (put) {
      ASSERT_EQ(found->value, step);
    }
    if (step % 500 == 0) kept.emplace_back(list, map);
  }
  kept.emplace_back(list, map);
  for (const auto& [l, m] : kept) EXPECT_EQ(elements(l), elements(m));
}

TEST(SharedList, is_made_of_an_ascending_vector) {
  for (size_t size : {0u, 1u, 63u, 64u, 65u, 1000u}) {
    std::vector<Entry> all;
    for (size_t i = 0; i < size; ++i) all.push_back({std::to_string(1'000'000 + i), static_cast<int>(i)});
    const List list(all);
    EXPECT_EQ(elements(list), all);
    EXPECT_EQ(list.size(), size);
    EXPECT_EQ(list.empty(), size == 0);
    for (const Entry& e : all) EXPECT_EQ(*list.find(std::string_view(e.name)), e);
    EXPECT_EQ(list.find(std::string_view("0")), nullptr);
    EXPECT_EQ(list.find(std::string_view("9")), nullptr);
  }
}

TEST(SharedList, keeps_the_order_of_what_is_pushed_back) {
  List list;
  for (int i = 200; i > 0; --i) list.push_back({std::to_string(i), i});
  int expected = 200;
  for (const Entry& e : list) EXPECT_EQ(e.value, expected--);
  EXPECT_EQ(expected, 0);
}

TEST(SharedList, shares_all_parts_but_the_one_that_changes) {
  std::vector<Entry> all;
  for (int i = 0; i < 1000; ++i) all.push_back({std::to_string(1000 + i), i});
  const List before(all);
  List now = before;
  now.put({"1500", 7});
  EXPECT_EQ(now.parts_shared_with(before), before.parts() - 1);
  EXPECT_EQ(before.find(std::string_view("1500"))->value, 500);
  EXPECT_EQ(now.find(std::string_view("1500"))->value, 7);
}

}  // namespace
