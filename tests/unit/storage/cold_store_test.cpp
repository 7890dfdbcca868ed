// What of a mailbox stays in index.snap until somebody asks: that it is there, that it is found after a new index.snap
// has taken the old one's place, and that damage to it costs time and nothing else.
#include "storage/cold_store.h"

#include <gtest/gtest.h>

#include "storage/account.h"
#include "storage/check.h"
#include "storage/snapshot_file.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::string directory = "/disk/user", snap = directory + "/index.snap";

class ColdStoreTest : public testing::Test {
 protected:
  ColdStoreTest() {
    open();
    inbox_ = *create_mailbox(*account_, "INBOX");
    trash_ = *create_mailbox(*account_, "Trash");
    for (uint32_t i = 0; i < 40; ++i) append(i % 4 == 0 ? trash_ : inbox_, i);
    EXPECT_TRUE(account_->close());
    before_ = describe(*account_);
    open();
  }
  void open() {
    account_.reset();
    account_ = *Account::open(env_, directory, {.create = true});
  }
  void append(MailboxKey box, uint32_t i) {
    const std::string text = letter_text(i);
    Batch b = account_->begin();
    NewMessage m;
    m.info.size = text.size();
    m.info.date = {1700000000 + int64_t{i}, 60};
    m.info.uidl = "u" + std::to_string(i);
    if (i % 5 != 0) m.info.body = *b.add_body(*prepare(*account_, text));
    EXPECT_TRUE(b.add_message(box, m));
    EXPECT_TRUE(account_->commit(std::move(b)));
  }
  void flag(MailboxKey box, uint32_t first, uint32_t last) {
    Batch b = account_->begin();
    FlagChange c{FlagsMode::add, {}};
    c.flags.system = wire::base::flagged;
    EXPECT_TRUE(b.change_flags(box, UidSet(Uid(first), Uid(last)), c));
    EXPECT_TRUE(account_->commit(std::move(b)));
  }
  // Turns a byte of what lies behind a mailbox's section.
  void damage(MailboxKey key) {
    Result<SnapshotFile> f = SnapshotFile::open(env_, snap);
    ASSERT_TRUE(f);
    const SectionRef at = f->directory().slots.at(key).section;
    std::vector<uint8_t> bytes = env_.bytes(snap);
    bytes[static_cast<size_t>(f->base() + at.offset + at.length) + 40] ^= 4;
    env_.replace(snap, bytes);
  }

  FaultEnv env_;
  std::unique_ptr<Account> account_;
  MailboxKey inbox_, trash_;
  std::string before_;
};

TEST_F(ColdStoreTest, what_was_not_looked_at_is_found_in_the_index_that_took_the_old_ones_place) {
  ASSERT_TRUE(account_->open_report().used_snapshot);
  MailboxSnapshotPtr held = account_->snapshot(inbox_);  // nothing of it but UIDs and flags has been read
  for (uint32_t round = 0; round < 3; ++round) {
    flag(inbox_, round + 1, round + 1);
    append(inbox_, 100 + round);
    ASSERT_TRUE(account_->checkpoint());
  }
  EXPECT_EQ(held->message(0).uidl, "u1");
  EXPECT_EQ(account_->snapshot(inbox_)->message(29).uidl, "u39");
  EXPECT_EQ(account_->snapshot(inbox_)->message(32).uidl, "u102");
  const std::string now = describe(*account_);
  ASSERT_TRUE(account_->close());
  open();
  EXPECT_EQ(describe(*account_), now);
  EXPECT_TRUE(check_store(env_, directory)->clean());
}

TEST_F(ColdStoreTest, unchanged_messages_are_copied_as_they_are) {
  MailboxSnapshotPtr held = account_->snapshot(inbox_);
  flag(inbox_, 1, 30);
  Result<SnapshotFile> old = SnapshotFile::open(env_, snap);
  auto cold = [&](SnapshotFile& f) {
    const SectionRef ref = f.directory().slots.at(inbox_).section;
    Result<std::shared_ptr<const Buffer>> hot = f.section(ref);
    Result<std::shared_ptr<const Buffer>> bytes = f.cold(ref, **hot, [](const Sha256&) {});
    EXPECT_TRUE(bytes);
    return std::vector<uint8_t>((*bytes)->data(), (*bytes)->data() + (*bytes)->size());
  };
  const std::vector<uint8_t> was = cold(*old);
  ASSERT_TRUE(account_->checkpoint());
  Result<SnapshotFile> fresh = SnapshotFile::open(env_, snap);
  EXPECT_EQ(cold(*fresh), was);
}

TEST_F(ColdStoreTest, damage_to_it_is_mended_from_the_log_and_by_the_next_index) {
  account_.reset();
  damage(inbox_);
  Result<CheckReport> report = check_store(env_, directory);
  ASSERT_FALSE(report->clean());
  EXPECT_EQ(report->problems[0].where, "index.snap");
  open();
  ASSERT_TRUE(account_->open_report().used_snapshot);
  // Opened and changed before anybody looks: the log goes on, what it made of the past does not.
  flag(trash_, 1, 1);
  flag(trash_, 1, 1);
  MailboxSnapshotPtr held = account_->snapshot(inbox_);
  EXPECT_EQ(held->message(0).uidl, "u1");
  EXPECT_EQ(held->message(0).size, letter_text(1).size());
  ASSERT_TRUE(account_->checkpoint());
  EXPECT_TRUE(check_store(env_, directory)->clean());
  const std::string now = describe(*account_);
  open();
  EXPECT_EQ(describe(*account_), now);
}

TEST_F(ColdStoreTest, places_of_bodies_come_from_the_log_where_their_names_are_damaged) {
  account_.reset();
  damage(inbox_);
  open();
  EXPECT_EQ(describe(*account_), before_);
  ASSERT_TRUE(account_->checkpoint());
  EXPECT_TRUE(check_store(env_, directory)->clean());
}

TEST_F(ColdStoreTest, what_neither_has_is_a_message_without_anything) {
  account_.reset();
  damage(inbox_);
  open();
  MailboxSnapshotPtr held = account_->snapshot(inbox_);
  for (const std::string& path : env_.paths()) {
    if (path.find("/log/") != std::string::npos) env_.replace(path, std::vector<uint8_t>(50));
  }
  EXPECT_EQ(held->uid(0), Uid(1));
  EXPECT_FALSE(held->message(0).body);
  EXPECT_EQ(held->message(29).size, 0u);
  // What is only shown like that must not become what is.
  const std::vector<uint8_t> index = env_.bytes(snap);
  flag(inbox_, 1, 1);
  EXPECT_FALSE(account_->checkpoint());
  EXPECT_EQ(env_.bytes(snap), index);
  RewriteOptions all = eager();
  all.tail_bytes = 1;
  Result<bool> gained = rewrite(*account_, all);
  EXPECT_FALSE(gained && *gained);
}

TEST_F(ColdStoreTest, damage_in_a_mailbox_that_nobody_looks_at_does_not_stop_the_next_index) {
  account_.reset();
  damage(trash_);
  open();
  flag(inbox_, 1, 1);
  ASSERT_TRUE(account_->checkpoint());
  EXPECT_TRUE(check_store(env_, directory)->clean());
  const std::string now = describe(*account_);
  open();
  EXPECT_TRUE(account_->open_report().used_snapshot);
  EXPECT_EQ(describe(*account_), now);
}

TEST(ColdParts, every_truncation_and_flip_is_an_error_or_parts_that_fit) {
  Buffer b;
  b.put<uint8_t>(2);
  b.put<uint8_t>(0b00000101);
  for (int i = 0; i < 64; ++i) b.put<uint8_t>(static_cast<uint8_t>(i));
  b.put_varint(9);
  for (int i = 0; i < 9; ++i) b.put<uint8_t>(1);
  ASSERT_TRUE(ColdStore::parse(b.bytes(), 3));
  EXPECT_FALSE(ColdStore::parse(b.bytes(), 40));
  for (size_t n = 0; n < b.size(); ++n) {
    std::vector<uint8_t> part(b.data(), b.data() + n);
    EXPECT_FALSE(ColdStore::parse(part, 3)) << n;
    std::vector<uint8_t> flipped(b.data(), b.data() + b.size());
    flipped[n] ^= 0x80;
    if (std::optional<ColdStore::Parts> p = ColdStore::parse(flipped, 3)) {
      EXPECT_LE(p->blocks.back(), flipped.size());
    }
  }
}

}  // namespace
}  // namespace storage
