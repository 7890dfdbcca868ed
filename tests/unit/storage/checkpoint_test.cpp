// index.snap: quick to open, and never needed.
#include <gtest/gtest.h>

#include "storage/account.h"
#include "storage/check.h"
#include "storage/checkpoint.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::string snap = "/disk/user/index.snap";
const std::string segment = "/disk/user/log/0000000000000001-open-0000.log";

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() {
    open(true);
    for (const char* name : {"INBOX", "Sent", "Trash"}) {
      MailboxKey key = *create_mailbox(*account_, name);
      keys_.push_back(key);
      Batch b = account_->begin();
      for (uint32_t i = 0; i < (keys_.size() == 1 ? 1100u : 120u); ++i) {
        NewMessage m;
        m.info.uidl = std::to_string(i);
        if (i % 100 == 0) {
          m.info.body = *b.add_body(*prepare(*account_, name + std::to_string(i)));
          m.flags.add("kw" + std::to_string(i));
        }
        EXPECT_TRUE(b.add_message(key, m));
      }
      EXPECT_TRUE(b.expunge(key, UidSet(Uid(5), Uid(9))));
      EXPECT_TRUE(account_->commit(std::move(b)));
    }
    Batch b = account_->begin();
    b.subscribe("Gone", true);
    b.annotate("namespace-prefix", "INBOX.");
    b.set_cursor(keys_[0], {UidValidity(1), Uid(2), ModSeq(3), 4, {}, true});
    EXPECT_TRUE(account_->commit(std::move(b)));
  }
  void open(bool create = false) {
    account_.reset();
    Result<std::unique_ptr<Account>> a = Account::open(env_, "/disk/user", {.create = create});
    ASSERT_TRUE(a) << a.error().describe();
    account_ = std::move(*a);
  }
  void add(MailboxKey key) {
    Batch b = account_->begin();
    ASSERT_TRUE(b.add_message(key, {}));
    ASSERT_TRUE(account_->commit(std::move(b)));
  }
  // The same without index.snap.
  void expect_log_says_the_same() {
    std::string now = describe(*account_);
    ASSERT_TRUE(account_->sync());
    std::unique_ptr<FaultEnv> other = env_.image(Survives::synced);
    if (other->list("/disk/user")) {
      for (const std::string& p : other->paths()) {
        if (p == snap) other->forget(snap);
      }
    }
    Result<std::unique_ptr<Account>> a = Account::open(*other, "/disk/user", {});
    ASSERT_TRUE(a);
    EXPECT_FALSE((*a)->open_report().used_snapshot);
    EXPECT_EQ(describe(**a), now);
  }

  FaultEnv env_;
  std::unique_ptr<Account> account_;
  std::vector<MailboxKey> keys_;
};

TEST_F(CheckpointTest, holds_everything_and_the_tail_comes_from_the_log) {
  ASSERT_TRUE(account_->close());
  add(keys_[1]);
  std::string before = describe(*account_);
  open();
  EXPECT_TRUE(account_->open_report().used_snapshot);
  EXPECT_EQ(account_->open_report().frames, 2u);  // the checkpoint's own and the message
  EXPECT_EQ(describe(*account_), before);
  expect_log_says_the_same();
  // Again, with some mailboxes never looked at.
  ASSERT_TRUE(account_->close());
  open();
  add(keys_[2]);
  ASSERT_TRUE(account_->close());
  open();
  expect_log_says_the_same();
}

TEST_F(CheckpointTest, costs_nothing_when_nothing_changed) {
  ASSERT_TRUE(account_->close());
  for (int i = 0; i < 3; ++i) {
    open();
    Lsn lsn = account_->appended();
    std::vector<uint8_t> bytes = env_.bytes(snap);
    ASSERT_TRUE(account_->close());
    EXPECT_EQ(account_->appended(), lsn);
    EXPECT_EQ(env_.bytes(snap), bytes);
  }
}

TEST_F(CheckpointTest, in_steps_it_holds_what_was_there_when_it_began_and_others_go_on) {
  ASSERT_TRUE(account_->close());
  open();  // Sent and Trash are not looked at
  uint64_t frames = 0;
  auto between = [&] {
    add(keys_[0]);
    add(keys_[2]);
    frames += 2;
  };
  ASSERT_TRUE(checkpoint_in_steps(*account_, between));
  EXPECT_EQ(account_->tail(), frames + 1);
  const std::string before = describe(*account_);  // also from the new file's sections
  expect_log_says_the_same();
  std::unique_ptr<FaultEnv> crashed = env_.image(Survives::synced);
  Result<std::unique_ptr<Account>> a = Account::open(*crashed, "/disk/user", {});
  ASSERT_TRUE(a);
  EXPECT_TRUE((*a)->open_report().used_snapshot);
  EXPECT_EQ((*a)->open_report().frames, frames + 1);
  EXPECT_EQ(describe(**a), before);
}

TEST_F(CheckpointTest, in_steps_a_mailbox_that_goes_meanwhile_stays_gone) {
  ASSERT_TRUE(account_->close());
  open();
  add(keys_[0]);
  int step = 0;
  ASSERT_TRUE(checkpoint_in_steps(*account_, [&] {
    if (++step != 2) return;
    Batch b = account_->begin();
    ASSERT_TRUE(b.remove_mailbox(keys_[1]));
    ASSERT_TRUE(account_->commit(std::move(b)));
  }));
  EXPECT_EQ(account_->tree()->mailboxes.size(), 2u);
  expect_log_says_the_same();
  ASSERT_TRUE(account_->close());
  open();
  EXPECT_EQ(account_->tree()->mailboxes.size(), 2u);
}

// What was written to the log behind the LSN that it holds may be cut off, bodies included.
TEST_F(CheckpointTest, in_steps_it_knows_no_body_that_a_crash_takes) {
  const std::string text = "came while it was written";
  int step = 0;
  Sha256 name{};
  std::unique_ptr<FaultEnv> crashed;
  ASSERT_TRUE(checkpoint_in_steps(*account_, [&] {
    ++step;
    if (step == 1) {
      Batch b = account_->begin();
      NewMessage m;
      name = *b.add_body(*prepare(*account_, text));
      m.info.body = name;
      ASSERT_TRUE(b.add_message(keys_[0], m));
      ASSERT_TRUE(account_->commit(std::move(b)));
    }
    if (step == 4) crashed = env_.image(Survives::synced);
  }));
  // The log as it was before the message came, with the new index.snap.
  std::vector<uint8_t> log = crashed->bytes(segment);
  Result<std::unique_ptr<Account>> whole = Account::open(*crashed, "/disk/user", {});
  ASSERT_TRUE(whole);
  EXPECT_TRUE((*whole)->has_body(name));
  whole->reset();
  crashed = env_.image(Survives::synced);
  size_t cut = log.size();
  for (size_t at = log.size() - text.size(); at > 0; --at) {
    if (std::equal(text.begin(), text.end(), log.begin() + static_cast<ptrdiff_t>(at))) {
      cut = at;
      break;
    }
  }
  ASSERT_LT(cut, log.size());
  log.resize(cut);
  crashed->replace(segment, log);
  Result<std::unique_ptr<Account>> a = Account::open(*crashed, "/disk/user", {});
  ASSERT_TRUE(a);
  EXPECT_TRUE((*a)->open_report().used_snapshot);
  EXPECT_FALSE((*a)->has_body(name));
}

TEST_F(CheckpointTest, one_at_a_time_and_given_up_it_leaves_the_old_one) {
  ASSERT_TRUE(account_->close());
  const std::vector<uint8_t> old = env_.bytes(snap);
  open();
  add(keys_[0]);
  {
    Result<std::unique_ptr<Checkpoint>> draft = Checkpoint::begin(*account_);
    ASSERT_TRUE(draft && *draft);
    EXPECT_EQ(Checkpoint::begin(*account_).error().code, Errc::unavailable);
    EXPECT_EQ(account_->checkpoint().error().code, Errc::unavailable);
    ASSERT_TRUE((*draft)->write());
  }
  EXPECT_EQ(env_.bytes(snap), old);
  ASSERT_TRUE(account_->close());
  EXPECT_NE(env_.bytes(snap), old);
  open();
  Result<std::unique_ptr<Checkpoint>> none = Checkpoint::begin(*account_);
  EXPECT_TRUE(none && !*none);  // it says all there is
}

TEST_F(CheckpointTest, damaged_anywhere_it_is_read_from_the_log_instead) {
  ASSERT_TRUE(account_->close());
  add(keys_[0]);
  ASSERT_TRUE(account_->sync());
  std::string before = describe(*account_);
  std::vector<uint8_t> good = env_.bytes(snap);
  for (size_t i = 0; i < good.size(); i += i < 400 ? 3 : 1999) {
    std::vector<uint8_t> bad = good;
    bad[i] ^= 0x40;
    env_.replace(snap, bad);
    Result<CheckReport> report = check_store(env_, "/disk/user");
    ASSERT_TRUE(report);
    ASSERT_FALSE(report->clean()) << i;
    open();
    ASSERT_TRUE(account_->open_report().damage.empty()) << i;
    ASSERT_EQ(describe(*account_), before) << i;
    account_.reset();
  }
  for (size_t n : {size_t{0}, size_t{50}, size_t{96}, size_t{200}, good.size() - 1}) {
    env_.replace(snap, {good.begin(), good.begin() + static_cast<ptrdiff_t>(n)});
    open();
    ASSERT_EQ(describe(*account_), before) << n;
  }
}

TEST_F(CheckpointTest, newer_than_its_log_it_is_ignored_and_removed) {
  ASSERT_TRUE(account_->sync());
  std::string before = describe(*account_);
  std::vector<uint8_t> log = env_.bytes(segment);
  add(keys_[0]);
  ASSERT_TRUE(account_->close());
  account_.reset();
  env_.replace(segment, log);  // an older backup of the log
  open();
  EXPECT_FALSE(account_->open_report().used_snapshot);
  EXPECT_EQ(describe(*account_), before);
  EXPECT_FALSE(env_.open(snap, Env::Mode::read));
}

TEST_F(CheckpointTest, mailbox_is_read_when_it_is_first_used) {
  ASSERT_TRUE(account_->close());
  open();
  uint64_t opened = env_.operations();
  EXPECT_EQ(account_->tree()->mailboxes.size(), 3u);
  EXPECT_EQ(account_->cursor(keys_[0])->highest_modseq, ModSeq(3));
  EXPECT_EQ(env_.operations(), opened);
  EXPECT_EQ(account_->snapshot(keys_[1])->size(), 115u);
  EXPECT_GT(env_.operations(), opened);
}

}  // namespace
}  // namespace storage
