#include "storage/batch.h"

#include <gtest/gtest.h>

#include "storage/account.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

class BatchTest : public testing::Test {
 protected:
  BatchTest() { reopen(true); }
  void reopen(bool create = false) {
    account_.reset();
    Result<std::unique_ptr<Account>> a = Account::open(env_, "/disk/user", {.create = create});
    EXPECT_TRUE(a) << a.error().describe();
    account_ = std::move(*a);
  }
  MailboxKey make(const std::string& name, ModSeqMode mode = ModSeqMode::own) {
    return *create_mailbox(*account_, name, mode);
  }
  // Adds messages; in a mirror with MODSEQ = UID * 10.
  void add(MailboxKey key, std::vector<uint32_t> uids) {
    Batch b = account_->begin();
    bool mirror = account_->snapshot(key)->info().mode == ModSeqMode::mirror;
    for (uint32_t u : uids) {
      NewMessage m;
      m.uid = Uid(u);
      if (mirror) m.modseq = ModSeq(u * 10);
      Result<MessageIds> r = b.add_message(key, m);
      EXPECT_TRUE(r) << r.error().describe();
    }
    EXPECT_TRUE(account_->commit(std::move(b)));
  }
  Errc add_error(MailboxKey key, uint32_t uid, std::optional<ModSeq> modseq = {}) {
    Batch b = account_->begin();
    NewMessage m;
    m.uid = Uid(uid);
    m.modseq = modseq;
    Result<MessageIds> r = b.add_message(key, m);
    EXPECT_TRUE(b.empty());
    return r ? Errc::internal : r.error().code;
  }
  UidSet expunge(MailboxKey key, const UidSet& uids, std::optional<ModSeq> modseq = {}) {
    Batch b = account_->begin();
    Result<UidSet> r = b.expunge(key, uids, modseq);
    EXPECT_TRUE(account_->commit(std::move(b)));
    return *r;
  }
  UidSet flag(MailboxKey key, const UidSet& uids, FlagsMode mode, std::vector<std::string> keywords, uint8_t system = 0,
              std::optional<ModSeq> modseq = {}) {
    Batch b = account_->begin();
    FlagChange c{mode, {}};
    c.flags.system = system;
    c.flags.keywords = std::move(keywords);
    Result<UidSet> r = b.change_flags(key, uids, c, modseq);
    EXPECT_TRUE(r) << r.error().describe();
    EXPECT_TRUE(account_->commit(std::move(b)));
    return *r;
  }
  void cursor(MailboxKey key, uint64_t highest) {
    Batch b = account_->begin();
    SyncCursor c;
    c.highest_modseq = ModSeq(highest);
    c.complete = true;
    b.set_cursor(key, c);
    EXPECT_TRUE(account_->commit(std::move(b)));
  }
  // What holds in memory holds after a replay.
  void expect_same_after_replay() {
    std::string before = describe(*account_);
    reopen();
    EXPECT_EQ(describe(*account_), before);
    EXPECT_TRUE(account_->open_report().damage.empty());
  }

  FaultEnv env_;
  std::unique_ptr<Account> account_;
};

TEST_F(BatchTest, dropping_a_batch_changes_nothing) {
  std::string before = describe(*account_);
  {
    Batch b = account_->begin();
    MailboxInfo info;
    info.name = "Drafts";
    ASSERT_TRUE(b.create_mailbox(info));
  }
  EXPECT_EQ(describe(*account_), before);
  EXPECT_EQ(account_->appended(), Lsn(0));
}

TEST_F(BatchTest, second_batch_over_the_same_state_is_a_conflict) {
  Batch a = account_->begin();
  Batch b = account_->begin();
  MailboxInfo info;
  info.name = "A";
  ASSERT_TRUE(a.create_mailbox(info));
  ASSERT_TRUE(b.create_mailbox(info));
  ASSERT_TRUE(account_->commit(std::move(a)));
  Result<Lsn> r = account_->commit(std::move(b));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::conflict);
}

TEST_F(BatchTest, later_changes_of_a_batch_see_earlier_ones) {
  Batch b = account_->begin();
  MailboxInfo info;
  info.name = "A";
  MailboxKey key = *b.create_mailbox(info);
  ASSERT_TRUE(b.add_message(key, {}));
  ASSERT_TRUE(b.add_message(key, {}));
  FlagChange c{FlagsMode::add, {}};
  c.flags.system = wire::base::deleted;
  EXPECT_EQ(b.change_flags(key, UidSet(Uid(1), Uid(100)), c)->to_string(), "1:2");
  EXPECT_EQ(b.expunge(key, UidSet(Uid(1)))->to_string(), "1");
  ASSERT_TRUE(account_->commit(std::move(b)));
  MailboxSnapshotPtr s = account_->snapshot(key);
  ASSERT_EQ(s->size(), 1u);
  EXPECT_EQ(s->uid(0), Uid(2));
  // One batch, one MODSEQ.
  EXPECT_EQ(s->modseq(0), ModSeq(2));
  EXPECT_EQ(s->info().highest_modseq, ModSeq(2));
  expect_same_after_replay();
}

TEST_F(BatchTest, names_are_unique_and_inbox_has_one_name_in_any_case) {
  make("INBOX");
  Batch b = account_->begin();
  MailboxInfo info;
  info.name = "inbox";
  EXPECT_EQ(b.create_mailbox(info).error().code, Errc::exists);
  info.name = "Inbox.x";
  EXPECT_TRUE(b.create_mailbox(info));
  info.name = "inbox.X";
  EXPECT_TRUE(b.create_mailbox(info));
  info.name = "";
  EXPECT_EQ(b.create_mailbox(info).error().code, Errc::usage);
  EXPECT_EQ(account_->tree()->find("iNbOx")->name, "INBOX");
}

TEST_F(BatchTest, recreated_mailbox_gets_a_higher_uidvalidity_and_another_key) {
  MailboxKey first = make("A");
  UidValidity before = account_->snapshot(first)->info().uid_validity;
  Batch b = account_->begin();
  ASSERT_TRUE(b.remove_mailbox(first));
  ASSERT_TRUE(account_->commit(std::move(b)));
  EXPECT_EQ(account_->snapshot(first), nullptr);
  EXPECT_EQ(account_->highest_uid_validity("A"), before);
  MailboxKey second = make("A");
  EXPECT_NE(first, second);
  EXPECT_GT(account_->snapshot(second)->info().uid_validity, before);
  expect_same_after_replay();
}

TEST_F(BatchTest, name_that_was_renamed_away_keeps_its_uidvalidities_in_mind) {
  MailboxKey key = make("A");
  UidValidity v = account_->snapshot(key)->info().uid_validity;
  Batch b = account_->begin();
  MailboxChange c;
  c.name = "B";
  ASSERT_TRUE(b.change_mailbox(key, c));
  ASSERT_TRUE(account_->commit(std::move(b)));
  EXPECT_EQ(account_->highest_uid_validity("A"), v);
  EXPECT_EQ(account_->highest_uid_validity("B"), v);
  EXPECT_GT(account_->snapshot(make("A"))->info().uid_validity, v);
}

TEST_F(BatchTest, numbers_never_go_down) {
  MailboxKey key = make("A");
  Batch b = account_->begin();
  MailboxChange up;
  up.uid_next = Uid(100);
  up.highest_modseq = ModSeq(50);
  up.first_recent = Uid(7);
  ASSERT_TRUE(b.change_mailbox(key, up));
  MailboxChange down;
  down.uid_next = Uid(3);
  down.highest_modseq = ModSeq(3);
  down.first_recent = Uid(3);
  ASSERT_TRUE(b.change_mailbox(key, down));
  ASSERT_TRUE(account_->commit(std::move(b)));
  const MailboxInfo info = account_->snapshot(key)->info();
  EXPECT_EQ(info.uid_next, Uid(100));
  EXPECT_EQ(info.highest_modseq, ModSeq(50));
  EXPECT_EQ(info.first_recent, Uid(7));
  Batch c = account_->begin();
  EXPECT_EQ(c.add_message(key, {})->uid, Uid(100));
}

TEST_F(BatchTest, uid_that_is_taken_or_was_expunged_is_refused) {
  MailboxKey key = make("A");
  add(key, {1, 2, 5});
  expunge(key, UidSet(Uid(2)));
  EXPECT_EQ(add_error(key, 1), Errc::exists);
  EXPECT_EQ(add_error(key, 2), Errc::conflict);
  EXPECT_EQ(add_error(key, 0), Errc::limit);
  EXPECT_EQ(add_error(key, UINT32_MAX), Errc::limit);
  add(key, {3});  // a copy that had missed it
  EXPECT_EQ(account_->snapshot(key)->uids().to_string(), "1,3,5");
  EXPECT_EQ(account_->snapshot(key)->info().uid_next, Uid(6));
  expect_same_after_replay();
}

TEST_F(BatchTest, own_mailbox_raises_highestmodseq_once_a_batch) {
  MailboxKey key = make("A");
  add(key, {1, 2, 3});
  EXPECT_EQ(account_->snapshot(key)->info().highest_modseq, ModSeq(2));
  EXPECT_EQ(flag(key, UidSet(Uid(1), Uid(2)), FlagsMode::add, {}, wire::base::seen).to_string(), "1:2");
  EXPECT_EQ(flag(key, UidSet(Uid(1), Uid(3)), FlagsMode::add, {}, wire::base::seen).to_string(), "3");
  EXPECT_TRUE(flag(key, UidSet(Uid(1), Uid(3)), FlagsMode::add, {}, wire::base::seen).empty());
  MailboxSnapshotPtr s = account_->snapshot(key);
  EXPECT_EQ(s->modseq(0), ModSeq(3));
  EXPECT_EQ(s->modseq(2), ModSeq(4));
  EXPECT_EQ(s->info().highest_modseq, ModSeq(4));
  EXPECT_EQ(s->changed_since(ModSeq(3)).to_string(), "3");
  expunge(key, UidSet(Uid(1)));
  s = account_->snapshot(key);
  EXPECT_EQ(s->info().highest_modseq, ModSeq(5));
  EXPECT_EQ(s->vanished_since(ModSeq(4)).to_string(), "1");
  EXPECT_TRUE(s->vanished_since(ModSeq(5)).empty());
}

TEST_F(BatchTest, mirror_takes_the_sources_numbers_and_moves_only_with_the_cursor) {
  MailboxKey key = make("A", ModSeqMode::mirror);
  add(key, {1, 2, 3});
  EXPECT_EQ(account_->snapshot(key)->modseq(2), ModSeq(30));
  EXPECT_EQ(account_->snapshot(key)->info().highest_modseq, ModSeq(1));
  EXPECT_EQ(add_error(key, 4), Errc::usage);
  // Exact only from the listing on: before it the safe superset.
  EXPECT_EQ(account_->snapshot(key)->vanished_since(ModSeq(30)).to_string(), "");
  cursor(key, 30);
  EXPECT_EQ(account_->snapshot(key)->info().highest_modseq, ModSeq(30));
  expunge(key, UidSet(Uid(2)));  // found by comparison: filed under 30
  MailboxSnapshotPtr s = account_->snapshot(key);
  EXPECT_EQ(s->vanished_since(ModSeq(30)).to_string(), "2");
  EXPECT_EQ(s->vanished_since(ModSeq(5)).to_string(), "2");
  EXPECT_EQ(s->info().highest_modseq, ModSeq(30));
  flag(key, UidSet(Uid(1)), FlagsMode::add, {}, wire::base::seen, ModSeq(17));  // lower than another's: as given
  EXPECT_EQ(account_->snapshot(key)->modseq(0), ModSeq(17));
  expect_same_after_replay();
}

TEST_F(BatchTest, mirror_becomes_own_above_everything_shown_and_never_goes_back) {
  MailboxKey key = make("A", ModSeqMode::mirror);
  add(key, {1, 50});
  cursor(key, 100);
  expunge(key, UidSet(Uid(1)));
  Batch b = account_->begin();
  MailboxChange c;
  c.mode = ModSeqMode::own;
  ASSERT_TRUE(b.change_mailbox(key, c));
  ASSERT_TRUE(account_->commit(std::move(b)));
  EXPECT_EQ(account_->snapshot(key)->info().highest_modseq, ModSeq(500));
  flag(key, UidSet(Uid(50)), FlagsMode::add, {}, wire::base::seen);
  MailboxSnapshotPtr s = account_->snapshot(key);
  EXPECT_EQ(s->modseq(0), ModSeq(501));
  // A client that saw 100 as the mirror's highest may not know of the expunge filed there.
  EXPECT_EQ(s->vanished_since(ModSeq(100)).to_string(), "1");
  EXPECT_EQ(s->vanished_since(ModSeq(500)).to_string(), "");
  Batch back = account_->begin();
  c.mode = ModSeqMode::mirror;
  EXPECT_EQ(back.change_mailbox(key, c).error().code, Errc::conflict);
  expect_same_after_replay();
}

TEST_F(BatchTest, reset_empties_a_mailbox_for_a_new_uidvalidity_only) {
  MailboxKey key = make("A");
  add(key, {1, 2});
  UidValidity v = account_->snapshot(key)->info().uid_validity;
  Batch b = account_->begin();
  EXPECT_EQ(b.reset_mailbox(key, v, Uid(1), ModSeq(1), ModSeqMode::mirror).error().code, Errc::conflict);
  ASSERT_TRUE(b.reset_mailbox(key, v.next(), Uid(3), ModSeq(9), ModSeqMode::mirror));
  ASSERT_TRUE(account_->commit(std::move(b)));
  MailboxSnapshotPtr s = account_->snapshot(key);
  EXPECT_EQ(s->size(), 0u);
  EXPECT_EQ(s->info().name, "A");
  EXPECT_EQ(s->info().mode, ModSeqMode::mirror);
  add(key, {1});  // the number is free again: another UIDVALIDITY
  expect_same_after_replay();
}

TEST_F(BatchTest, body_must_be_there_before_a_message_has_it) {
  MailboxKey key = make("A");
  add(key, {1});
  Batch b = account_->begin();
  NewMessage m;
  m.info.body = Sha256{1};
  EXPECT_EQ(b.add_message(key, m).error().code, Errc::not_found);
  EXPECT_EQ(b.attach_body(key, Uid(1), Sha256{1}).error().code, Errc::not_found);
  Sha256 name = *b.add_body(*prepare(*account_, "hello"));
  EXPECT_EQ(b.attach_body(key, Uid(2), name).error().code, Errc::not_found);
  ASSERT_TRUE(b.attach_body(key, Uid(1), name, 5));
  ASSERT_TRUE(account_->commit(std::move(b)));
  EXPECT_EQ(account_->snapshot(key)->message(0).size, 5u);
  // The same bytes again cost no frame.
  Batch again = account_->begin();
  EXPECT_EQ(*again.add_body(*prepare(*account_, "hello")), name);
  EXPECT_TRUE(again.empty());
  expect_same_after_replay();
}

TEST_F(BatchTest, keeps_a_thousand_keywords_as_first_spelled) {
  MailboxKey key = make("A");
  add(key, {1, 2, 3});
  std::vector<std::string> all;
  for (int i = 0; i < 1000; ++i) all.push_back("Key" + std::to_string(i));
  EXPECT_EQ(flag(key, UidSet(Uid(1)), FlagsMode::replace, all).to_string(), "1");
  EXPECT_EQ(flag(key, UidSet(Uid(2)), FlagsMode::add, {"kEY999", "key3"}).to_string(), "2");
  EXPECT_TRUE(flag(key, UidSet(Uid(2)), FlagsMode::add, {"KEY999"}).empty());
  EXPECT_TRUE(flag(key, UidSet(Uid(3)), FlagsMode::remove, {"never"}).empty());
  MailboxSnapshotPtr s = account_->snapshot(key);
  EXPECT_EQ(s->keywords().size(), 1000u);
  EXPECT_EQ(s->flags(0).keywords, all);
  EXPECT_EQ(s->flags(1).keywords, (std::vector<std::string>{"Key3", "Key999"}));
  EXPECT_TRUE(s->flag_bits(1) >> 63);
  EXPECT_EQ(flag(key, UidSet(Uid(2)), FlagsMode::remove, {"key999"}).to_string(), "2");
  s = account_->snapshot(key);
  EXPECT_EQ(s->flag_bits(1), uint64_t{1} << 11);
  expect_same_after_replay();
  ASSERT_TRUE(account_->close());
  expect_same_after_replay();
  EXPECT_EQ(account_->snapshot(key)->flags(0).keywords, all);
}

TEST_F(BatchTest, flag_change_of_many_messages_costs_one_range) {
  MailboxKey key = make("A");
  Batch b = account_->begin();
  for (uint32_t i = 0; i < 5000; ++i) {
    NewMessage m;
    m.uid = Uid(1 + 2 * i);
    ASSERT_TRUE(b.add_message(key, m));
  }
  ASSERT_TRUE(account_->commit(std::move(b)));
  Batch f = account_->begin();
  FlagChange c{FlagsMode::add, {}};
  c.flags.system = wire::base::seen;
  EXPECT_EQ(f.change_flags(key, UidSet(Uid(1), Uid(UINT32_MAX)), c)->count(), 5000u);
  EXPECT_LT(f.bytes(), 100u);
  ASSERT_TRUE(account_->commit(std::move(f)));
  EXPECT_EQ(account_->snapshot(key)->system_flags(4999), wire::base::seen);
  expect_same_after_replay();
}

TEST_F(BatchTest, stale_epoch_is_refused) {
  make("A");
  ASSERT_TRUE(account_->raise_epoch(Epoch(5)));
  EXPECT_EQ(account_->epoch(), Epoch(5));
  EXPECT_EQ(account_->raise_epoch(Epoch(4)).error().code, Errc::conflict);
  account_.reset();
  Result<std::unique_ptr<Account>> a = Account::open(env_, "/disk/user", {.epoch = Epoch(4)});
  ASSERT_FALSE(a);
  EXPECT_EQ(a.error().code, Errc::conflict);
  a = Account::open(env_, "/disk/user", {.epoch = Epoch(5)});
  ASSERT_TRUE(a);
}

}  // namespace
}  // namespace storage
