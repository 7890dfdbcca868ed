#include "gateway/source/tree_plan.h"

#include <gtest/gtest.h>

namespace gateway::source {
namespace {

using storage::MailboxInfo;
using storage::Uid;
using storage::UidValidity;

MailboxInfo ours(std::string name, uint32_t validity, uint32_t uid_next = 10) {
  MailboxInfo m;
  m.name = std::move(name);
  m.separator = '.';
  m.uid_validity = UidValidity(validity);
  m.uid_next = Uid(uid_next);
  return m;
}

SourceMailbox theirs(std::string name, uint32_t validity, uint32_t uid_next = 10) {
  SourceMailbox s;
  s.name = std::move(name);
  s.separator = '.';
  s.uid_validity = UidValidity(validity);
  s.uid_next = Uid(uid_next);
  return s;
}

storage::MailboxTree tree(std::vector<MailboxInfo> mailboxes, std::vector<std::string> subscriptions = {}) {
  storage::MailboxTree t;
  for (MailboxInfo& m : mailboxes) t.mailboxes.push_back(std::move(m));
  t.subscriptions = std::move(subscriptions);
  return t;
}

TEST(tree_plan, equal_trees_need_nothing) {
  EXPECT_TRUE(plan_tree(tree({ours("INBOX", 1)}, {"INBOX"}), {theirs("INBOX", 1)}, {"INBOX"}).empty());
}

TEST(tree_plan, new_and_gone_names_are_made_and_removed) {
  TreePlan p = plan_tree(tree({ours("INBOX", 1), ours("old", 2)}), {theirs("INBOX", 1), theirs("new", 3)}, {});
  ASSERT_EQ(p.create.size(), 1u);
  EXPECT_EQ(p.create[0].name, "new");
  ASSERT_EQ(p.remove.size(), 1u);
  EXPECT_EQ(p.remove[0].name, "old");
  EXPECT_TRUE(p.renames.empty());
}

TEST(tree_plan, same_uid_validity_is_a_rename) {
  TreePlan p = plan_tree(tree({ours("INBOX", 1), ours("old", 2)}), {theirs("INBOX", 1), theirs("new", 2, 12)}, {});
  ASSERT_EQ(p.renames.size(), 1u);
  EXPECT_EQ(p.renames[0].from.name, "old");
  EXPECT_EQ(p.renames[0].to.name, "new");
  EXPECT_TRUE(p.create.empty());
  EXPECT_TRUE(p.remove.empty());
}

TEST(tree_plan, a_shared_uid_validity_or_a_lower_uid_next_is_no_rename) {
  TreePlan shared = plan_tree(tree({ours("INBOX", 2), ours("old", 2)}), {theirs("INBOX", 2), theirs("new", 2)}, {});
  EXPECT_TRUE(shared.renames.empty());
  TreePlan lower =
      plan_tree(tree({ours("INBOX", 1), ours("old", 2, 10)}), {theirs("INBOX", 1), theirs("new", 2, 9)}, {});
  EXPECT_TRUE(lower.renames.empty());
}

TEST(tree_plan, mailbox_id_decides_where_the_source_has_it) {
  MailboxInfo m = ours("old", 2);
  m.mailbox_id = "X";
  SourceMailbox other = theirs("new", 2);
  other.mailbox_id = "Y";
  EXPECT_TRUE(plan_tree(tree({m}), {other}, {}).renames.empty());
  other.mailbox_id = "X";
  other.uid_validity = UidValidity(99);
  EXPECT_EQ(plan_tree(tree({m}), {other}, {}).renames.size(), 1u);
}

TEST(tree_plan, subscriptions_follow_the_source_also_for_absent_mailboxes) {
  TreePlan p = plan_tree(tree({ours("INBOX", 1)}, {"INBOX", "stale"}), {theirs("INBOX", 1)}, {"INBOX", "absent"});
  EXPECT_EQ(p.subscribe, std::vector<std::string>{"absent"});
  EXPECT_EQ(p.unsubscribe, std::vector<std::string>{"stale"});
}

TEST(tree_plan, a_special_use_that_appeared_is_a_change) {
  SourceMailbox s = theirs("Sent", 4);
  s.special_use = {"\\Sent"};
  TreePlan p = plan_tree(tree({ours("Sent", 4)}), {s}, {});
  ASSERT_EQ(p.change.size(), 1u);
  EXPECT_EQ(p.change[0].second.special_use, s.special_use);
}

}  // namespace
}  // namespace gateway::source
