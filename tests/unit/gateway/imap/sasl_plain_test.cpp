#include "gateway/imap/sasl_plain.h"

#include <gtest/gtest.h>

namespace gateway::imap {
namespace {

TEST(SaslPlainTest, takes_its_three_parts) {
  const auto r = parse_sasl_plain("Ym9iAGFsaWNlAHNlY3JldA==");
  ASSERT_TRUE(r);
  EXPECT_EQ(r->authzid, "bob");
  EXPECT_EQ(r->user, "alice");
  EXPECT_EQ(r->password, "secret");
}

TEST(SaslPlainTest, the_authorization_identity_may_be_empty) {
  const auto r = parse_sasl_plain("AGFsaWNlAHNlY3JldA==");
  ASSERT_TRUE(r);
  EXPECT_EQ(r->authzid, "");
  EXPECT_EQ(r->user, "alice");
}

class Malformed : public testing::TestWithParam<const char*> {};
TEST_P(Malformed, is_refused) {
  const auto r = parse_sasl_plain(GetParam());
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, wire::base::Errc::malformed);
}
INSTANTIATE_TEST_SUITE_P(Cases, Malformed,
                         testing::Values("", "=", "====", "AGFsaWNl", "AGFsaWNlAHNlY3JldA",
                                         "AGFsaWNlAHNlY3JldA=", "AG Fs", "AA==", "AAA=", "AABzZWNyZXQ=", "YQBiAGMAZA==",
                                         "A===", "AGFs=WNlAHNlY3JldA=="));

}  // namespace
}  // namespace gateway::imap
