#include "gateway/source/upstream_quirks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gateway::source {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(upstream_quirks, a_server_without_a_rule_is_taken_at_its_word) {
  EXPECT_THAT(distrusted_capabilities(quirks::Profile()), IsEmpty());
}

TEST(upstream_quirks, each_distrust_hides_its_capability_and_what_builds_on_it) {
  quirks::Profile p;
  p.no_condstore = true;
  EXPECT_THAT(distrusted_capabilities(p), ElementsAre("CONDSTORE", "QRESYNC"));
  p = quirks::Profile();
  p.no_qresync = true;
  p.no_list_status = true;
  EXPECT_THAT(distrusted_capabilities(p), ElementsAre("QRESYNC", "LIST-STATUS"));
}

}  // namespace
}  // namespace gateway::source
