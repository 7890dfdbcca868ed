#include "wire/base/flags.h"

#include <gtest/gtest.h>

#include "wire/base/failure.h"

namespace wire::base {
namespace {

TEST(Flags, compare_without_order_and_case) {
  Flags a{seen, {"One", "two"}}, b{seen, {"TWO", "one"}};
  EXPECT_EQ(a, b);
  a.add("ONE");
  EXPECT_EQ(a.keywords.size(), 2u);
  a.remove("oNe");
  EXPECT_EQ(a.keywords, std::vector<std::string>{"two"});
  EXPECT_FALSE(a == b);
}

TEST(Flags, system_flags_have_names) {
  EXPECT_EQ(system_flag("\\Seen"), seen);
  EXPECT_EQ(system_flag("\\dELETED"), deleted);
  EXPECT_EQ(system_flag("\\Recent"), 0);
  EXPECT_EQ(system_flag("Seen"), 0);
  EXPECT_EQ(system_flag(""), 0);
}

TEST(Failure, a_strangers_bytes_are_escaped) {
  EXPECT_EQ(escape("a\r\nb"), "a\\x0d\\x0ab");
  EXPECT_LE(escape(std::string(5000, 'x'), 10).size(), 20u);
  std::string said = Failure(Errc::malformed, "note", "bad\x1b[2J").describe();
  EXPECT_EQ(said.find('\x1b'), std::string::npos);
  EXPECT_NE(said.find("note"), std::string::npos);
}

}  // namespace
}  // namespace wire::base
