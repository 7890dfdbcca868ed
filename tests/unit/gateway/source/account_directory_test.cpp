#include "gateway/source/account_directory.h"

#include <gtest/gtest.h>

#include <set>

namespace gateway::source {
namespace {

TEST(account_directory, plain_names_stay_and_others_are_spelled_out) {
  EXPECT_EQ(safe_name("anna.b@example.org"), "anna.b@example.org");
  EXPECT_EQ(safe_name("a/b"), "a=2fb");
  EXPECT_EQ(safe_name(".."), "=2e=2e");
  EXPECT_EQ(safe_name("."), "=2e");
  EXPECT_EQ(safe_name("=2f"), "=3d2f");
  EXPECT_EQ(safe_name("A"), "=41");
}

TEST(account_directory, no_two_users_share_a_name_and_none_is_too_long_for_a_file_system) {
  std::set<std::string> seen;
  for (int length = 1; length <= 255; ++length) {
    for (char c : {'a', '/', '.', '\xff'}) {
      const std::string name = safe_name(std::string(static_cast<size_t>(length), c));
      EXPECT_LE(name.size(), 200u);
      EXPECT_TRUE(seen.insert(name).second) << name;
    }
  }
}

TEST(account_directory, stays_below_the_data_directory) {
  const auto path = account_directory("/data", "../../etc/passwd");
  EXPECT_EQ(path.lexically_normal().string().rfind("/data/accounts/", 0), 0u);
}

}  // namespace
}  // namespace gateway::source
