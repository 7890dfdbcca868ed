// What clients are told about what is gone, and the numbers that tell them that a mailbox is another one.
#include <gtest/gtest.h>

#include "storage/account.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

class HistoryTest : public testing::Test {
 protected:
  HistoryTest() { open(); }
  void open(size_t ranges = 64) {
    account_.reset();
    Result<std::unique_ptr<Account>> a =
        Account::open(env_, "/disk/user", {.create = true, .tombstone_ranges = ranges});
    ASSERT_TRUE(a) << a.error().describe();
    account_ = std::move(*a);
  }
  void open_by_the_log(size_t ranges = 64) {
    account_.reset();
    env_.forget("/disk/user/index.snap");
    open(ranges);
    ASSERT_FALSE(account_->open_report().used_snapshot);
  }
  void open_by_the_snapshot(size_t ranges = 64) {
    ASSERT_TRUE(account_->close());
    open(ranges);
    ASSERT_TRUE(account_->open_report().used_snapshot);
  }
  MailboxSnapshotPtr look(MailboxKey key) { return account_->snapshot(key); }
  // A message of the next UID that goes at once; every second UID stays, so that no two ranges join.
  void expunge_one(MailboxKey key) {
    Batch add = account_->begin();
    Result<MessageIds> stays = add.add_message(key, NewMessage{});
    Result<MessageIds> goes = add.add_message(key, NewMessage{});
    ASSERT_TRUE(stays && goes);
    ASSERT_TRUE(account_->commit(std::move(add)));
    Batch b = account_->begin();
    ASSERT_TRUE(b.expunge(key, UidSet(goes->uid)));
    ASSERT_TRUE(account_->commit(std::move(b)));
    gone_.emplace_back(look(key)->info().highest_modseq, goes->uid);
  }
  // What went after `since`, exactly.
  std::string exact(ModSeq since) const {
    UidSet set;
    for (const auto& [modseq, uid] : gone_) {
      if (modseq > since) set.add(uid);
    }
    return set.to_string();
  }
  UidValidity make(const std::string& name) {
    Result<MailboxKey> key = create_mailbox(*account_, name);
    EXPECT_TRUE(key);
    return look(*key)->info().uid_validity;
  }
  void remove(const std::string& name) {
    Batch b = account_->begin();
    ASSERT_TRUE(b.remove_mailbox(account_->tree()->find(name)->key));
    ASSERT_TRUE(account_->commit(std::move(b)));
  }
  UidValidity rename(const std::string& from, const std::string& to) {
    Batch b = account_->begin();
    MailboxChange c;
    c.name = to;
    EXPECT_TRUE(b.change_mailbox(account_->tree()->find(from)->key, c));
    EXPECT_TRUE(account_->commit(std::move(b)));
    return account_->tree()->find(to)->uid_validity;
  }

  FaultEnv env_;
  std::unique_ptr<Account> account_;
  std::vector<std::pair<ModSeq, Uid>> gone_;
};

// Every number a client can hold: exact within the horizon, and beyond it a superset without a message that is there.
void check_vanished(const MailboxSnapshot& now, const std::function<std::string(ModSeq)>& exact, size_t at_least) {
  size_t exactly = 0;
  for (uint64_t since = 1; since <= now.info().highest_modseq.value; ++since) {
    const std::string told = now.vanished_since(ModSeq(since)).to_string();
    if (told == exact(ModSeq(since))) {
      ++exactly;
      continue;
    }
    const UidSet set = now.vanished_since(ModSeq(since));
    UidSet all(Uid(1), Uid(now.info().uid_next.value - 1));
    for (uint32_t i = 0; i < now.size(); ++i) ASSERT_FALSE(set.contains(now.uid(i))) << since;
    ASSERT_EQ(set.count() + now.size(), all.count()) << since;
  }
  EXPECT_GE(exactly, at_least);
}

TEST_F(HistoryTest, vanished_is_exact_for_the_horizon_and_safe_before_it) {
  MailboxKey key = *create_mailbox(*account_, "A");
  auto truth = [this](ModSeq since) { return exact(since); };
  for (int i = 0; i < 64; ++i) expunge_one(key);
  {
    SCOPED_TRACE("within");
    check_vanished(*look(key), truth, look(key)->info().highest_modseq.value);
  }
  for (int i = 0; i < 100; ++i) expunge_one(key);
  {
    SCOPED_TRACE("beyond");
    EXPECT_NE(look(key)->vanished_since(ModSeq(1)).to_string(), "");
    check_vanished(*look(key), truth, 64);
  }
  open_by_the_snapshot();
  {
    SCOPED_TRACE("by the snapshot");
    check_vanished(*look(key), truth, 64);
  }
  expunge_one(key);
  open_by_the_log();
  {
    SCOPED_TRACE("by the log");
    check_vanished(*look(key), truth, 64);
  }
}

TEST_F(HistoryTest, another_horizon_holds_from_the_next_opening) {
  MailboxKey key = *create_mailbox(*account_, "A");
  auto truth = [this](ModSeq since) { return exact(since); };
  for (int i = 0; i < 200; ++i) expunge_one(key);
  check_vanished(*look(key), truth, 64);
  // The log has it all: a longer horizon is exact to the beginning.
  open_by_the_log(1000);
  check_vanished(*look(key), truth, look(key)->info().highest_modseq.value);
  // A shorter one forgets with the next expunge, and never tells less than went.
  open_by_the_snapshot(16);
  expunge_one(key);
  check_vanished(*look(key), truth, 16);
}

TEST_F(HistoryTest, recreated_names_go_up_through_renames_reopening_and_a_clock_that_jumps_back) {
  UidValidity a = make("A"), b = make("B");
  EXPECT_NE(a, b);  // made in the same second
  remove("A");
  // "A" with b was never seen before: the name and the number cannot denote two contents.
  EXPECT_EQ(rename("B", "A"), b);
  rename("A", "C");
  rename("C", "D");
  env_.set_time(1000);
  UidValidity highest = b;
  for (const char* name : {"A", "B", "C", "D2"}) {
    UidValidity v = make(name);
    EXPECT_GT(v, highest) << name;
    highest = v;
  }
  open_by_the_snapshot();
  remove("D");
  UidValidity d = make("D");
  EXPECT_GT(d, highest);
  open_by_the_log();
  remove("D");
  EXPECT_GT(make("D"), d);
}

TEST_F(HistoryTest, inbox_is_one_name_however_it_is_spelled) {
  UidValidity first = make("inbox");
  remove("Inbox");
  env_.set_time(1);
  UidValidity second = make("INBOX");
  EXPECT_GT(second, first);
  rename("iNBOX", "Old");
  open_by_the_log();
  EXPECT_GT(make("inbOX"), second);
}

TEST_F(HistoryTest, a_source_that_is_at_the_end_of_its_numbers_leaves_room_for_ours) {
  Batch b = account_->begin();
  MailboxInfo info;
  info.name = "Huge";
  info.uid_validity = UidValidity(UINT32_MAX - 5);
  ASSERT_TRUE(b.create_mailbox(info));
  ASSERT_TRUE(account_->commit(std::move(b)));
  EXPECT_LT(make("Other"), UidValidity(UINT32_MAX - (1u << 24)));
  remove("Huge");
  EXPECT_EQ(make("Huge"), UidValidity(UINT32_MAX - 4));
}

}  // namespace
}  // namespace storage
