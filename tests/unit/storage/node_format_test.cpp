#include "storage/node_format.h"

#include <gtest/gtest.h>

#include "tests/fault/fault_env.h"

namespace storage {
namespace {

TEST(NodeFormat, new_directory_begins_with_the_newest_and_an_old_one_goes_on) {
  FaultEnv env;
  ASSERT_TRUE(env.make_directory("/disk/new"));
  EXPECT_EQ(*begin_node(env, "/disk/new"), 2u);
  EXPECT_EQ(*begin_node(env, "/disk/new"), 2u);
  FaultEnv other;
  other.replace("/disk/old/control.db", {1});
  EXPECT_EQ(*begin_node(other, "/disk/old"), 1u);
  EXPECT_EQ(*node_format(other, "/disk/old"), 1u);
  ASSERT_TRUE(set_node_format(other, "/disk/old", 2));
  EXPECT_EQ(*begin_node(other, "/disk/old"), 2u);
  // It survives the machine.
  std::unique_ptr<FaultEnv> boot = other.image(Survives::synced);
  EXPECT_EQ(*node_format(*boot, "/disk/old"), 2u);
}

TEST(NodeFormat, unknown_one_is_refused_and_left_as_it_is) {
  for (const char* text : {"3\n", "two\n", "", "0\n", "2x\n", "99999999999\n"}) {
    FaultEnv env;
    std::vector<uint8_t> bytes(text, text + std::char_traits<char>::length(text));
    env.replace("/disk/node/format", bytes);
    Result<uint32_t> r = begin_node(env, "/disk/node");
    ASSERT_FALSE(r) << text;
    EXPECT_EQ(r.error().code, Errc::unsupported);
    EXPECT_EQ(env.bytes("/disk/node/format"), bytes);
  }
}

}  // namespace
}  // namespace storage
