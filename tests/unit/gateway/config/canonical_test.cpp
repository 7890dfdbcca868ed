#include <gtest/gtest.h>

#include "gateway/config/config.h"

namespace gateway::config {
namespace {

struct Case {
  const char* name;
  std::string typed;
  std::string want;  // empty: refused
};

Config domains() {
  Config c;
  c.canonical.strip_domain = {"example.org", "Example.NET"};
  c.canonical.separator = "+";
  return c;
}

class Canonical : public testing::TestWithParam<Case> {};

TEST_P(Canonical, is_one_user_and_its_own_canonical_form) {
  const Config c = domains();
  const auto got = c.canonical_user(GetParam().typed);
  if (GetParam().want.empty()) {
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, wire::base::Errc::malformed);
    return;
  }
  ASSERT_TRUE(got) << got.error().describe();
  EXPECT_EQ(*got, GetParam().want);
  const auto again = c.canonical_user(*got);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *got);
}

INSTANTIATE_TEST_SUITE_P(
    Spellings, Canonical,
    testing::Values(Case{"plain", "anna", "anna"}, Case{"case", "Anna", "anna"},
                    Case{"domain", "anna@example.org", "anna"}, Case{"domain_case", "ANNA@EXAMPLE.org", "anna"},
                    Case{"second_domain", "anna@example.net", "anna"},
                    Case{"foreign_domain_kept", "anna@other.org", "anna@other.org"},
                    Case{"detail", "anna+list", "anna"}, Case{"detail_and_domain", "anna+list@example.org", "anna"},
                    Case{"detail_foreign", "anna+a+b@other.org", "anna@other.org"},
                    Case{"domain_twice", "anna@example.org@example.org", "anna"},
                    Case{"leading_separator", "+anna", "+anna"}, Case{"utf8_kept", "J\xc3\xb6rg", "j\xc3\xb6rg"},
                    Case{"longest", std::string(255, 'a'), std::string(255, 'a')}, Case{"empty", "", ""},
                    Case{"only_domain", "@example.org", ""}, Case{"only_foreign_domain", "@other.org", ""},
                    Case{"too_long", std::string(256, 'a'), ""}, Case{"nul", std::string("a\0b", 3), ""},
                    Case{"newline", "a\nb", ""}, Case{"del", "a\x7f", ""}, Case{"c1_control", "a\xc2\x85", ""},
                    Case{"not_utf8", "a\xff", ""}, Case{"overlong", "a\xe0\x80\xaf", ""}, Case{"cut_utf8", "a\xc3", ""},
                    Case{"surrogate", "a\xed\xa0\x80", ""}),
    [](const auto& row) { return row.param.name; });

TEST(CanonicalWithoutRules, keeps_domain_and_detail) {
  const Config c;
  EXPECT_EQ(*c.canonical_user("Anna+x@Example.org"), "anna+x@example.org");
}

TEST(CanonicalExactCase, keeps_the_case) {
  Config c = domains();
  c.canonical.lower_case = false;
  EXPECT_EQ(*c.canonical_user("Anna@EXAMPLE.org"), "Anna");
}

}  // namespace
}  // namespace gateway::config
