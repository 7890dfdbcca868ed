#include "gateway/imap/selection.h"

#include <gtest/gtest.h>

#include "tests/unit/gateway/imap/snapshots.h"
#include "wire/imap/cursor.h"

namespace gateway::imap {
namespace {

wire::imap::SequenceSet set(std::string_view text) {
  return *wire::imap::parse_all<wire::imap::SequenceSet>(wire::imap::Cursor(text));
}

struct Case {
  const char* set;
  bool uid;
  const char* uids;  // "bad": refused
};

class SelectionTest : public testing::TestWithParam<Case> {};

// UIDs 2,4,5 are left of 1..5.
TEST_P(SelectionTest, means_these_messages) {
  tests::Box box(5);
  box.expunge(1);
  box.expunge(3);
  const auto snapshot = box.now();
  const auto selection = select_messages(*snapshot, set(GetParam().set), GetParam().uid);
  EXPECT_EQ(selection ? selection->uids(*snapshot).to_string() : "bad", GetParam().uids);
}

INSTANTIATE_TEST_SUITE_P(Numbers, SelectionTest,
                         testing::Values(Case{"1", false, "2"}, Case{"1:*", false, "2,4:5"}, Case{"*", false, "5"},
                                         Case{"3:1", false, "2,4:5"}, Case{"1,3", false, "2,5"},
                                         Case{"4", false, "bad"}, Case{"1:4", false, "bad"},
                                         Case{"4294967295", false, "bad"}, Case{"*:2", false, "4:5"}));
INSTANTIATE_TEST_SUITE_P(Uids, SelectionTest,
                         testing::Values(Case{"1", true, ""}, Case{"1:*", true, "2,4:5"}, Case{"*", true, "5"},
                                         Case{"900:*", true, "5"}, Case{"3:4", true, "4"}, Case{"4294967295", true, ""},
                                         Case{"1:4294967295", true, "2,4:5"}, Case{"2,5", true, "2,5"}));

TEST(SelectionTest, an_empty_mailbox_has_no_numbers_but_uids_may_miss) {
  tests::Box box;
  EXPECT_FALSE(select_messages(*box.now(), set("1:*"), false));
  const auto none = select_messages(*box.now(), set("1:*"), true);
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST(SelectionTest, names_messages_as_the_command_did) {
  tests::Box box(5);
  box.expunge(1);
  storage::UidSet uids(Uid(2));
  uids.add(Uid(5));
  EXPECT_EQ(name_messages(*box.now(), uids, true), set("2,5"));
  EXPECT_EQ(name_messages(*box.now(), uids, false), set("1,4"));
}

}  // namespace
}  // namespace gateway::imap
