// What goes out of memory when a new index.snap has it: mailboxes that nobody looks at, what came since opening, what
// was unpacked, and the file before it. Whoever has a mailbox selected notices nothing.
#include <gtest/gtest.h>

#include <random>

#include "storage/account.h"
#include "storage/check.h"
#include "storage/snapshot_file.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::string directory = "/disk/user", snap = directory + "/index.snap";

// How many files of index.snap are open, and what is read of them.
struct Count {
  int open = 0;
  uint64_t reads = 0;
};

class CountedFile final : public File {
 public:
  CountedFile(std::unique_ptr<File> file, Count& count) : file_(std::move(file)), count_(count) { ++count_.open; }
  ~CountedFile() override { --count_.open; }
  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> out) const override {
    ++count_.reads;
    return file_->read_at(offset, out);
  }
  Result<void> write_at(uint64_t offset, std::span<const uint8_t> b) override { return file_->write_at(offset, b); }
  Result<void> truncate(uint64_t size) override { return file_->truncate(size); }
  Result<void> sync() override { return file_->sync(); }
  Result<uint64_t> size() const override { return file_->size(); }

 private:
  std::unique_ptr<File> file_;
  Count& count_;
};

class CountingEnv final : public Env {
 public:
  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Mode mode) override {
    Result<std::unique_ptr<File>> file = disk.open(path, mode);
    if (!file || path.filename().string().rfind("index.snap", 0) != 0) return file;
    return std::unique_ptr<File>(new CountedFile(std::move(*file), count));
  }
  Result<std::vector<std::string>> list(const std::filesystem::path& d) override { return disk.list(d); }
  Result<void> make_directory(const std::filesystem::path& p) override { return disk.make_directory(p); }
  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return disk.rename(from, to);
  }
  Result<void> remove(const std::filesystem::path& p) override { return disk.remove(p); }
  Result<void> sync_directory(const std::filesystem::path& p) override { return disk.sync_directory(p); }
  int64_t now() override { return disk.now(); }
  void random(std::span<uint8_t> out) override { disk.random(out); }

  FaultEnv disk;
  Count count;
};

class MemoryTest : public testing::TestWithParam<uint32_t> {
 protected:
  MemoryTest() {
    open();
    inbox_ = *create_mailbox(*account_, "INBOX");
    trash_ = *create_mailbox(*account_, "Trash");
    for (uint32_t i = 0; i < 40; ++i) append(i % 4 == 0 ? trash_ : inbox_, i);
  }
  void open() {
    account_.reset();
    account_ = *Account::open(env_, directory, {.create = true, .format = GetParam()});
  }
  void append(MailboxKey box, uint32_t i) {
    const std::string text = letter_text(i);
    Batch b = account_->begin();
    NewMessage m;
    m.info.size = text.size();
    m.info.date = {1700000000 + int64_t{i}, 60};
    m.info.uidl = "u" + std::to_string(i);
    m.flags.add("kw" + std::to_string(i));
    if (i % 5 != 0) m.info.body = *b.add_body(*prepare(*account_, text));
    EXPECT_TRUE(b.add_message(box, m));
    EXPECT_TRUE(account_->commit(std::move(b)));
  }
  void flag(MailboxKey box, uint32_t first, uint32_t last, uint8_t flags = wire::base::flagged) {
    Batch b = account_->begin();
    FlagChange c{FlagsMode::add, {}};
    c.flags.system = flags;
    EXPECT_TRUE(b.change_flags(box, UidSet(Uid(first), Uid(last)), c));
    EXPECT_TRUE(account_->commit(std::move(b)));
  }
  void expunge(MailboxKey box, uint32_t first, uint32_t last) {
    Batch b = account_->begin();
    EXPECT_TRUE(b.expunge(box, UidSet(Uid(first), Uid(last))));
    EXPECT_TRUE(account_->commit(std::move(b)));
  }
  void index() { ASSERT_TRUE(checkpoint_in_steps(*account_)); }
  bool packs() const { return GetParam() == 2; }

  CountingEnv env_;
  std::unique_ptr<Account> account_;
  MailboxKey inbox_, trash_;
};

INSTANTIATE_TEST_SUITE_P(Formats, MemoryTest, testing::Values(1u, 2u));

TEST_P(MemoryTest, a_mailbox_that_nobody_looks_at_is_read_again_when_somebody_does) {
  const std::string before = describe_all(*account_);
  std::weak_ptr<const MailboxSnapshot> shown = account_->snapshot(inbox_);
  EXPECT_FALSE(shown.expired());
  index();
  EXPECT_TRUE(shown.expired());
  const uint64_t reads = env_.count.reads;
  ASSERT_TRUE(account_->snapshot(inbox_));
  EXPECT_GT(env_.count.reads, reads);
  EXPECT_EQ(describe_all(*account_), before);
  // And again, from one index to the next.
  flag(trash_, 1, 3);
  append(inbox_, 90);
  index();
  append(inbox_, 91);
  const std::string then = describe_all(*account_);
  ASSERT_TRUE(account_->close());
  open();
  EXPECT_EQ(describe_all(*account_), then);
  EXPECT_TRUE(check_store(env_.disk, directory)->clean());
}

TEST_P(MemoryTest, who_has_a_mailbox_selected_sees_the_same_and_may_let_go_of_what_it_held) {
  MailboxSnapshotPtr held = account_->snapshot(inbox_);
  const MessageInfo& kept = held->message(4);
  index();
  MailboxSnapshotPtr now = account_->snapshot(inbox_);
  EXPECT_TRUE(now->same_as(*held));
  EXPECT_TRUE(SnapshotDiff::between(*held, *now).empty());
  EXPECT_EQ(held->message(4).uidl, kept.uidl);
  if (!packs()) return;
  EXPECT_NE(now, held);
  // What came since opening is in index.snap and nowhere else.
  const uint64_t reads = env_.count.reads;
  for (uint32_t i = 0; i < now->size(); ++i) EXPECT_EQ(now->message(i).uidl, held->message(i).uidl);
  EXPECT_EQ(env_.count.reads, reads + 1);
  // What was unpacked meanwhile goes the same way.
  held = now;
  flag(trash_, 1, 1);
  index();
  now = account_->snapshot(inbox_);
  EXPECT_NE(now, held);
  EXPECT_EQ(now->message(7).uidl, held->message(7).uidl);
  EXPECT_LE(env_.count.open, 1);
}

TEST_P(MemoryTest, what_changes_while_it_is_written_stays) {
  const MailboxSnapshotPtr held = account_->snapshot(inbox_);
  uint32_t step = 0;
  ASSERT_TRUE(checkpoint_in_steps(*account_, [&] {
    ++step;
    append(inbox_, 100 + step);
    flag(trash_, step, step, wire::base::deleted);
    if (step == 2) expunge(inbox_, 3, 5);
  }));
  const std::string now = describe_all(*account_);
  EXPECT_EQ(account_->snapshot(inbox_)->size(), held->size() + step - 3);
  index();
  EXPECT_EQ(describe_all(*account_), now);
  ASSERT_TRUE(account_->close());
  open();
  EXPECT_EQ(describe_all(*account_), now);
  EXPECT_TRUE(check_store(env_.disk, directory)->clean());
}

TEST_P(MemoryTest, the_file_before_it_is_closed_also_where_all_it_had_was_expunged_unread) {
  ASSERT_TRUE(account_->close());
  open();
  MailboxSnapshotPtr held = account_->snapshot(inbox_);
  append(inbox_, 50);
  expunge(inbox_, 1, 30);
  index();
  held = account_->snapshot(inbox_);
  ASSERT_EQ(held->size(), 1u);
  EXPECT_LE(env_.count.open, 1);
  EXPECT_EQ(held->message(0).uidl, "u50");
  flag(inbox_, 31, 31);
  index();
  held = account_->snapshot(inbox_);
  EXPECT_LE(env_.count.open, 1);
  EXPECT_EQ(held->message(0).uidl, "u50");
}

// What the log said of a mailbox that index.snap had lost must not come back once that mailbox has changed.
TEST_P(MemoryTest, a_mailbox_that_is_read_again_is_never_an_older_one) {
  ASSERT_TRUE(account_->close());
  account_.reset();
  auto damage = [&] {
    Result<SnapshotFile> f = SnapshotFile::open(env_.disk, snap);
    ASSERT_TRUE(f);
    const SectionRef at = f->directory().slots.at(trash_).section;
    std::vector<uint8_t> bytes = env_.disk.bytes(snap);
    bytes[static_cast<size_t>(f->base() + at.offset) + 20] ^= 4;
    env_.disk.replace(snap, bytes);
  };
  damage();
  open();
  EXPECT_EQ(account_->snapshot(trash_)->size(), 10u);
  append(trash_, 60);
  ASSERT_TRUE(account_->checkpoint());
  damage();
  EXPECT_EQ(account_->snapshot(trash_)->size(), 11u);
}

TEST_P(MemoryTest, counts_are_those_of_the_messages_whatever_happens) {
  std::mt19937 random(7);
  auto check = [&] {
    const MailboxSnapshotPtr s = account_->snapshot(inbox_);
    uint32_t unseen = 0, deleted = 0;
    std::optional<uint32_t> first;
    for (uint32_t i = 0; i < s->size(); ++i) {
      if (!(s->system_flags(i) & wire::base::seen)) {
        ++unseen;
        if (!first) first = i;
      }
      if (s->system_flags(i) & wire::base::deleted) ++deleted;
    }
    ASSERT_EQ(s->unseen(), unseen);
    ASSERT_EQ(s->deleted(), deleted);
    ASSERT_EQ(s->first_unseen(), first);
  };
  for (uint32_t i = 0; i < 60; ++i) {
    const uint32_t at = random() % 50 + 1;
    switch (random() % 5) {
      case 0:
        append(inbox_, 200 + i);
        break;
      case 1:
        flag(inbox_, at, at + random() % 10, wire::base::seen);
        break;
      case 2:
        flag(inbox_, at, at, wire::base::deleted);
        break;
      case 3:
        expunge(inbox_, at, at);
        break;
      default:
        if (i % 3 == 0) index();
    }
    check();
  }
}

}  // namespace
}  // namespace storage
