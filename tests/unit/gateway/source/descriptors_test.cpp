#include "gateway/source/descriptors.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace gateway::source {
namespace {

TEST(DescriptorsTest, gives_no_more_than_there_are) {
  Descriptors all(10);
  auto six = all.take(6);
  ASSERT_TRUE(six);
  EXPECT_FALSE(all.take(5));
  auto four = all.take(4);
  ASSERT_TRUE(four);
  EXPECT_FALSE(all.take(1));
  EXPECT_EQ(all.used(), 10u);
}

TEST(DescriptorsTest, what_a_hold_has_comes_back_once) {
  Descriptors all(10);
  {
    auto hold = all.take(6);
    Descriptors::Hold other = std::move(*hold);
    Descriptors::Hold third;
    third = std::move(other);
    EXPECT_EQ(all.used(), 6u);
  }
  EXPECT_EQ(all.used(), 0u);
}

TEST(DescriptorsTest, clients_leave_room_for_accounts) {
  Descriptors all(64);
  std::vector<Descriptors::Hold> clients;
  while (auto hold = all.take(1, all.spare_for_accounts())) clients.push_back(std::move(*hold));
  EXPECT_EQ(clients.size(), 64 - all.spare_for_accounts());
  EXPECT_TRUE(all.take(2));
}

TEST(DescriptorsTest, a_demand_above_the_limit_is_refused) {
  Descriptors all(3);
  EXPECT_FALSE(all.take(4));
  EXPECT_FALSE(all.take(1, UINT64_MAX - 1));
}

TEST(DescriptorsTest, threads_never_hold_more_together) {
  Descriptors all(7);
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        auto hold = all.take(static_cast<uint64_t>(i % 4 + 1));
        if (all.used() > 7) exceeded = true;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(all.used(), 0u);
}

TEST(DescriptorsTest, a_process_keeps_some_for_its_own_files) {
  EXPECT_EQ(Descriptors::within(20000), 19744u);
  EXPECT_EQ(Descriptors::within(256), 128u);
}

}  // namespace
}  // namespace gateway::source
