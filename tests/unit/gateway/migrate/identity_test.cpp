#include "gateway/migrate/identity.h"

#include <gtest/gtest.h>

#include "gateway/migrate/inventory.h"

namespace gateway::migrate {

namespace {

using storage::Uid;
using storage::UidValidity;

Inbox inbox(uint32_t validity, uint32_t next, uint32_t messages, std::string id = {}) {
  Inbox out;
  out.uid_validity = UidValidity(validity);
  out.uid_next = Uid(next);
  out.messages = messages;
  out.mailbox_id = std::move(id);
  return out;
}

TEST(SameInbox, IsTheSameWhenNothingDiffers) {
  EXPECT_EQ(same_inbox(inbox(7, 30, 12), inbox(7, 30, 12), inbox(7, 30, 12)), Same::yes);
}

TEST(SameInbox, MailThatComesMeanwhileIsNoDifference) {
  EXPECT_EQ(same_inbox(inbox(7, 30, 12), inbox(7, 31, 13), inbox(7, 32, 14)), Same::yes);
}

TEST(SameInbox, AnotherOneIsTold) {
  EXPECT_EQ(same_inbox(inbox(7, 30, 12), inbox(8, 30, 12), inbox(7, 30, 12)), Same::no);
  EXPECT_EQ(same_inbox(inbox(7, 30, 12), inbox(7, 29, 12), inbox(7, 30, 12)), Same::no);
  EXPECT_EQ(same_inbox(inbox(7, 30, 12), inbox(7, 40, 12), inbox(7, 31, 12)), Same::no);
}

TEST(SameInbox, EmptyOnesMadeInOneSecondTellNothing) {
  EXPECT_EQ(same_inbox(inbox(7, 1, 0), inbox(7, 1, 0), inbox(7, 1, 0)), Same::unclear);
}

TEST(SameInbox, TheMailboxIdDecides) {
  EXPECT_EQ(same_inbox(inbox(7, 1, 0, "a"), inbox(7, 1, 0, "a"), inbox(7, 1, 0, "a")), Same::yes);
  EXPECT_EQ(same_inbox(inbox(7, 30, 9, "a"), inbox(7, 30, 9, "b"), inbox(7, 30, 9, "a")), Same::no);
}

TEST(OwnerByRights, ReadsWhoseInboxItIs) {
  EXPECT_EQ(owner_by_rights({"INBOX anna lrswipkxtecdan anyone p"}, "anna", "cyrus"), Same::yes);
  EXPECT_EQ(owner_by_rights({"INBOX anna@example.org lrswipkxtecdan"}, "anna", "cyrus"), Same::yes);
  EXPECT_EQ(owner_by_rights({"INBOX cyrus lrswipkxtecdan"}, "anna", "cyrus"), Same::no);
  EXPECT_EQ(owner_by_rights({"INBOX owner lrswipkxtecdan"}, "anna", "cyrus"), Same::unclear);
  EXPECT_EQ(owner_by_rights({"INBOX anna lrs cyrus lrs"}, "anna", "cyrus"), Same::unclear);
  EXPECT_EQ(owner_by_rights({"INBOX annabel lrs"}, "anna", "cyrus"), Same::unclear);
  EXPECT_EQ(owner_by_rights({}, "anna", "cyrus"), Same::unclear);
}

TEST(WithRights, TakesQuotedNamesApart) {
  EXPECT_EQ(with_rights("\"my box\" \"anna b\" lrs bert l"), (std::vector<std::string>{"anna b", "bert"}));
  EXPECT_TRUE(with_rights("INBOX").empty());
}

}  // namespace

}  // namespace gateway::migrate
