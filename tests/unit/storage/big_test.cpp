// What large accounts cost is counted here, in what is shared and in operations, never in time.
#include <gtest/gtest.h>

#include "storage/account.h"
#include "storage/chunk.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

class BigTest : public testing::Test {
 protected:
  BigTest() {
    auto a = Account::open(env_, "/disk/user", {.create = true});
    EXPECT_TRUE(a);
    account_ = std::move(*a);
  }
  void add(MailboxKey key, uint32_t count, uint32_t step = 1) {
    for (uint32_t done = 0; done < count;) {
      Batch b = account_->begin();
      for (uint32_t n = 0; n < 5000 && done < count; ++n, ++done) {
        NewMessage m;
        m.uid = Uid(account_->snapshot(key)->info().uid_next.value + n * step);
        m.info.size = done;
        ASSERT_TRUE(b.add_message(key, m));
      }
      ASSERT_TRUE(account_->commit(std::move(b)));
    }
  }
  void commit(const std::function<void(Batch&)>& change) {
    Batch b = account_->begin();
    change(b);
    ASSERT_TRUE(account_->commit(std::move(b)));
  }
  // How many pieces of `now` are not the very memory of `before`.
  static uint32_t copied(const MailboxSnapshot& before, const MailboxSnapshot& now) {
    std::set<const uint64_t*> there;
    for (uint32_t i = 0; i < before.size();) {
      const MessageColumns piece = before.columns(i, before.size());
      there.insert(piece.flags.data());
      i += piece.size();
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < now.size();) {
      const MessageColumns piece = now.columns(i, now.size());
      if (!there.contains(piece.flags.data())) ++n;
      i += piece.size();
    }
    return n;
  }
  uint64_t operations(const std::function<void()>& action) {
    const uint64_t before = env_.operations();
    action();
    return env_.operations() - before;
  }

  FaultEnv env_;
  std::unique_ptr<Account> account_;
};

constexpr uint32_t many = 50'000;

TEST_F(BigTest, a_commit_copies_only_the_piece_that_it_touches) {
  const MailboxKey key = *create_mailbox(*account_, "INBOX", ModSeqMode::own);
  add(key, many);
  MailboxSnapshotPtr before = account_->snapshot(key);
  commit([&](Batch& b) { EXPECT_TRUE(b.add_message(key, {})); });
  EXPECT_EQ(copied(*before, *account_->snapshot(key)), 1u);
  before = account_->snapshot(key);
  FlagChange change{FlagsMode::add, {}};
  change.flags.system = wire::base::seen;
  commit([&](Batch& b) { EXPECT_TRUE(b.change_flags(key, UidSet(Uid(7)), change)); });
  EXPECT_EQ(copied(*before, *account_->snapshot(key)), 1u);
  before = account_->snapshot(key);
  commit([&](Batch& b) { EXPECT_TRUE(b.change_flags(key, UidSet(Uid(1), Uid(many)), change)); });
  EXPECT_EQ(copied(*before, *account_->snapshot(key)), many / chunk_capacity + 1);
}

TEST_F(BigTest, a_commit_writes_as_much_in_a_large_mailbox_as_in_a_small_one) {
  const MailboxKey small = *create_mailbox(*account_, "small", ModSeqMode::own);
  const MailboxKey large = *create_mailbox(*account_, "large", ModSeqMode::own);
  add(large, many);
  const auto append = [&](MailboxKey key) {
    return operations([&] {
      commit([&](Batch& b) { EXPECT_TRUE(b.add_message(key, {})); });
      EXPECT_TRUE(account_->sync());
    });
  };
  append(small);
  EXPECT_EQ(append(large), append(small));
}

TEST_F(BigTest, a_flag_on_all_is_one_range_however_uids_have_gaps) {
  const MailboxKey key = *create_mailbox(*account_, "INBOX", ModSeqMode::own);
  add(key, 20'000, 3);
  FlagChange change{FlagsMode::add, {}};
  change.flags.system = wire::base::flagged;
  Batch b = account_->begin();
  auto changed = b.change_flags(key, account_->snapshot(key)->uids(), change);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->count(), 20'000u);
  EXPECT_LT(b.bytes(), 128u);
}

TEST_F(BigTest, pieces_cover_every_message_once_and_in_order) {
  const MailboxKey key = *create_mailbox(*account_, "INBOX", ModSeqMode::own);
  add(key, 5000, 2);
  commit([&](Batch& b) { EXPECT_TRUE(b.expunge(key, UidSet(Uid(1000), Uid(5000)))); });
  const MailboxSnapshotPtr s = account_->snapshot(key);
  for (const auto& [begin, end] : std::vector<std::pair<uint32_t, uint32_t>>{
           {0, s->size()}, {1, 2}, {700, 2100}, {s->size() - 1, s->size()}, {1023, 1025}}) {
    uint32_t i = begin;
    while (i < end) {
      const MessageColumns piece = s->columns(i, end);
      ASSERT_GT(piece.size(), 0u);
      ASSERT_LE(i + piece.size(), end);
      for (uint32_t k = 0; k < piece.size(); ++k, ++i) {
        ASSERT_EQ(piece.uids[k], s->uid(i).value);
        ASSERT_EQ(piece.flags[k], s->flag_bits(i));
        ASSERT_EQ(piece.modseqs[k], s->modseq(i).value);
      }
    }
    EXPECT_EQ(i, end);
  }
}

TEST_F(BigTest, cold_parts_are_those_that_were_given_also_after_many_changes) {
  const MailboxKey key = *create_mailbox(*account_, "INBOX", ModSeqMode::own);
  add(key, 3000);
  const MailboxSnapshotPtr before = account_->snapshot(key);
  BodyWriter writer = account_->new_body();
  ASSERT_TRUE(writer.write(wire::base::as_bytes(std::string_view("text"))));
  auto prepared = writer.finish();
  Batch b = account_->begin();
  auto body = b.add_body(std::move(*prepared));
  ASSERT_TRUE(body);
  for (uint64_t round = 1; round <= 6; ++round) {
    for (uint32_t u = 1; u <= 1000; ++u) ASSERT_TRUE(b.attach_body(key, Uid(u), *body, round * 10'000 + u));
  }
  ASSERT_TRUE(account_->commit(std::move(b)));
  const MailboxSnapshotPtr now = account_->snapshot(key);
  for (uint32_t i = 0; i < 3000; ++i) {
    ASSERT_EQ(before->message(i).size, i);
    ASSERT_EQ(now->message(i).size, i < 1000 ? 60'001 + i : i);
    ASSERT_EQ(now->message(i).body.has_value(), i < 1000);
  }
}

class TreeTest : public BigTest {
 protected:
  void make(uint32_t count) {
    commit([&](Batch& b) {
      for (uint32_t i = 0; i < count; ++i) {
        MailboxInfo info;
        info.name = "box " + std::to_string(i);
        ASSERT_TRUE(b.create_mailbox(info));
        b.subscribe(info.name, i % 2 == 0);
      }
    });
  }
};

TEST_F(TreeTest, a_commit_shares_every_mailbox_but_the_one_that_it_touches) {
  make(5000);
  const MailboxTreePtr before = account_->tree();
  const MailboxKey key = before->find("box 4711")->key;
  commit([&](Batch& b) { EXPECT_TRUE(b.add_message(key, {})); });
  const MailboxTreePtr now = account_->tree();
  ASSERT_EQ(now->mailboxes.size(), 5000u);
  uint32_t other = 0;
  for (auto a = before->mailboxes.begin(), b = now->mailboxes.begin(); a != before->mailboxes.end(); ++a, ++b) {
    other += &*a != &*b;
  }
  EXPECT_EQ(other, 1u);
  EXPECT_EQ(now->find("box 4711")->uid_next, Uid(2));
  EXPECT_EQ(before->find("box 4711")->uid_next, Uid(1));
  EXPECT_EQ(now->names.parts_shared_with(before->names), before->names.parts());
  EXPECT_EQ(now->subscriptions.list().parts_shared_with(before->subscriptions.list()),
            now->subscriptions.list().parts());
}

TEST_F(TreeTest, a_new_mailbox_or_subscription_costs_one_part_of_each_list) {
  make(5000);
  const MailboxTreePtr before = account_->tree();
  commit([&](Batch& b) {
    MailboxInfo info;
    info.name = "box 30 and a half";
    EXPECT_TRUE(b.create_mailbox(info));
    b.subscribe("box 31", true);
  });
  const MailboxTreePtr now = account_->tree();
  EXPECT_EQ(now->mailboxes.size(), 5001u);
  EXPECT_TRUE(now->find("box 30 and a half"));
  EXPECT_FALSE(before->find("box 30 and a half"));
  EXPECT_TRUE(now->subscribed("box 31"));
  EXPECT_FALSE(before->subscribed("box 31"));
  EXPECT_GE(now->names.parts_shared_with(before->names) + 1, before->names.parts());
  const auto &had = before->subscriptions.list(), &has = now->subscriptions.list();
  EXPECT_GE(has.parts_shared_with(had) + 1, had.parts());
}

TEST_F(TreeTest, names_follow_what_batches_do) {
  make(3);
  const MailboxKey zero = account_->tree()->find("box 0")->key, one = account_->tree()->find("box 1")->key;
  Batch b = account_->begin();
  MailboxChange change;
  change.name = "moved";
  ASSERT_TRUE(b.change_mailbox(zero, change));
  MailboxInfo again;
  again.name = "box 0";
  const Result<MailboxKey> made = b.create_mailbox(again);
  ASSERT_TRUE(made) << "the name is free in this batch";
  again.name = "moved";
  EXPECT_EQ(b.create_mailbox(again).error().code, Errc::exists);
  ASSERT_TRUE(b.remove_mailbox(one));
  change.name = "box 1";
  ASSERT_TRUE(b.change_mailbox(*made, change)) << "a removed mailbox's name is free, too";
  ASSERT_TRUE(account_->commit(std::move(b)));
  const MailboxTreePtr tree = account_->tree();
  EXPECT_EQ(tree->find("moved")->key, zero);
  EXPECT_EQ(tree->find("box 1")->key, *made);
  EXPECT_EQ(tree->find("box 0"), nullptr);
  EXPECT_EQ(tree->mailboxes.size(), 3u);
  for (const MailboxInfo& m : tree->mailboxes) EXPECT_EQ(tree->find(m.name), &m);
}

TEST_F(TreeTest, names_are_found_again_after_a_restart) {
  make(20);
  commit([&](Batch& b) { EXPECT_TRUE(b.remove_mailbox(account_->tree()->find("box 3")->key)); });
  for (bool snapshot : {false, true}) {
    ASSERT_TRUE(snapshot ? account_->close().has_value() : account_->sync().has_value());
    account_.reset();
    account_ = *Account::open(env_, "/disk/user", {});
    ASSERT_EQ(account_->open_report().used_snapshot, snapshot);
    Batch b = account_->begin();
    MailboxInfo info;
    info.name = "box 4";
    EXPECT_EQ(b.create_mailbox(info).error().code, Errc::exists);
    info.name = "box 3";
    EXPECT_TRUE(b.create_mailbox(info));
    EXPECT_EQ(account_->tree()->find("box 3"), nullptr);
  }
}

TEST_F(TreeTest, inbox_is_one_in_any_case) {
  make(1);
  const MailboxKey inbox = *create_mailbox(*account_, "Inbox", ModSeqMode::own);
  EXPECT_EQ(account_->tree()->find("iNBOX")->key, inbox);
  Batch b = account_->begin();
  MailboxInfo info;
  info.name = "INBOX";
  EXPECT_EQ(b.create_mailbox(info).error().code, Errc::exists);
}

}  // namespace
}  // namespace storage
