// What a rewrite makes of letters, of frames that several messages share, and of dictionaries.
#include <gtest/gtest.h>

#include "storage/check.h"
#include "storage/dictionary.h"
#include "storage/letter.h"
#include "storage/log_scan.h"
#include "storage/space.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::filesystem::path directory = "/disk/user";

RewriteOptions packing() {
  RewriteOptions o;
  o.tail_bytes = 2000;
  o.small_bytes = 1000;
  return o;
}

class PackingTest : public testing::Test {
 protected:
  PackingTest() {
    open();
    inbox_ = *create_mailbox(*account_, "INBOX");
  }
  void open(uint32_t format = 2) {
    account_.reset();
    Result<std::unique_ptr<Account>> a =
        Account::open(*env_, directory, {.create = true, .segment_bytes = segment_bytes_, .format = format});
    ASSERT_TRUE(a) << a.error().describe();
    account_ = std::move(*a);
  }
  Sha256 append(uint32_t i, const std::string& keyword = {}) {
    std::string text = letter_text(i);
    Batch b = account_->begin();
    NewMessage m;
    m.info.size = text.size();
    m.info.body = *b.add_body(*prepare(*account_, text));
    if (!keyword.empty()) m.flags.add(keyword);
    EXPECT_TRUE(b.add_message(inbox_, m));
    EXPECT_TRUE(account_->commit(std::move(b)));
    return *m.info.body;
  }
  void expunge(uint32_t first, uint32_t last) {
    Batch b = account_->begin();
    EXPECT_FALSE(b.expunge(inbox_, UidSet(Uid(first), Uid(last)))->empty());
    EXPECT_TRUE(account_->commit(std::move(b)));
  }
  bool pass(const RewriteOptions& options) {
    Result<bool> r = rewrite(*account_, options);
    EXPECT_TRUE(r) << r.error().describe();
    return r && *r;
  }
  std::vector<LogFrame> frames() {
    std::vector<LogFrame> all;
    LogScan scan(*env_, directory / "log", *list_segments(*env_, directory / "log"), false);
    LogScan::OnBatch note = [&](std::span<const LogFrame> batch) -> Result<void> {
      all.insert(all.end(), batch.begin(), batch.end());
      return {};
    };
    EXPECT_TRUE(scan.run({}, Lsn(1), Lsn(0), note));
    return all;
  }
  size_t count(FrameKind kind) {
    size_t n = 0;
    for (const LogFrame& f : frames()) n += f.header.kind == kind ? 1 : 0;
    return n;
  }
  uint64_t log_bytes() {
    uint64_t n = 0;
    for (const SegmentName& s : *list_segments(*env_, directory / "log")) {
      n += env_->bytes((directory / "log" / s.text()).string()).size();
    }
    return n;
  }
  // Every message, its bytes included, now, from index.snap and from the log alone.
  void expect_the_same_when_opened_again(uint32_t format = 2) {
    const std::string now = describe_all(*account_);
    ASSERT_TRUE(account_->sync());
    for (bool snapshot : {false, true}) {
      if (snapshot) {
        ASSERT_TRUE(account_->close());
      } else {
        account_.reset();
        for (const std::string& p : env_->paths()) {
          if (p.find("index.snap") != p.npos) env_->forget(p);
        }
      }
      open(format);
      ASSERT_EQ(account_->open_report().used_snapshot, snapshot);
      ASSERT_TRUE(account_->open_report().damage.empty()) << account_->open_report().damage[0].what;
      ASSERT_EQ(describe_all(*account_), now);
      Result<CheckReport> r = check_store(*env_, directory);
      ASSERT_TRUE(r);
      ASSERT_TRUE(r->clean()) << r->problems[0].what;
    }
  }

  std::unique_ptr<FaultEnv> env_ = std::make_unique<FaultEnv>();
  uint64_t segment_bytes_ = 16000;
  std::unique_ptr<Account> account_;
  MailboxKey inbox_;
};

TEST_F(PackingTest, letters_get_the_dictionary_and_a_second_pass_finds_nothing_to_do) {
  std::vector<Sha256> names;
  for (uint32_t i = 0; i < 700; ++i) names.push_back(append(i));
  ASSERT_TRUE(account_->wants_dictionary());
  EXPECT_FALSE(pass(packing())) << "not before there is a dictionary";
  ASSERT_TRUE(account_->train_dictionary());
  const uint64_t before = log_bytes();
  while (pass(packing())) {
  }
  EXPECT_LT(log_bytes(), before * 3 / 4);
  EXPECT_FALSE(pass(packing()));
  for (uint32_t i = 0; i < 700; ++i) ASSERT_EQ(*account_->open_body(names[i])->read_all(1 << 20), letter_text(i));
  expect_the_same_when_opened_again();
  EXPECT_FALSE(pass(packing()));
  // The dictionary's own frame moves, too, and is found where it is.
  expunge(1, 600);
  while (pass(eager())) {
  }
  EXPECT_EQ(count(FrameKind::dictionary), 1u);
  env_->forget((directory / "index.snap").string());
  open();
  for (uint32_t i = 600; i < 700; ++i) ASSERT_EQ(*account_->open_body(names[i])->read_all(1 << 20), letter_text(i));
  expect_the_same_when_opened_again();
}

TEST_F(PackingTest, account_of_format_1_stays_readable_by_builds_that_know_nothing_else) {
  account_.reset();
  env_ = std::make_unique<FaultEnv>();
  open(1);
  inbox_ = *create_mailbox(*account_, "INBOX");
  for (uint32_t i = 0; i < 200; ++i) append(i);
  EXPECT_FALSE(pass(packing()));
  expunge(1, 150);
  EXPECT_TRUE(pass(eager()));
  for (const LogFrame& f : frames()) EXPECT_FALSE(in_format_2(f.header));
  expect_the_same_when_opened_again(1);
}

TEST_F(PackingTest, record_that_is_needed_outlives_its_body) {
  segment_bytes_ = 3000;
  open();
  append(0, "$First");
  for (uint32_t i = 1; i < 40; ++i) append(i, i % 2 ? "$first" : "$Second");
  expunge(1, 38);
  const size_t bodies = count(FrameKind::body);
  ASSERT_TRUE(pass(eager()));
  EXPECT_LT(count(FrameKind::body), bodies);
  EXPECT_GT(count(FrameKind::messages), 0u);
  expect_the_same_when_opened_again();
}

TEST_F(PackingTest, damaged_letter_behind_a_hole_keeps_its_record) {
  segment_bytes_ = 3000;
  open();
  for (uint32_t i = 0; i < 40; ++i) append(i);
  for (uint32_t u = 1; u < 40; u += 2) expunge(u, u);
  while (pass(eager())) {
  }
  ASSERT_TRUE(account_->sync());
  const std::string seen = describe_all(*account_);
  const SegmentName first = list_segments(*env_, directory / "log")->front();
  ASSERT_GT(first.generation, 0u);
  const std::string path = (directory / "log" / first.text()).string();
  account_.reset();
  uint64_t last_byte = 0;
  LogScan scan(*env_, directory / "log", *list_segments(*env_, directory / "log"), false);
  LogScan::OnBatch look = [&](std::span<const LogFrame> batch) -> Result<void> {
    for (const LogFrame& f : batch) {
      if (f.segment == first.first && f.header.kind == FrameKind::body && last_byte == 0) {
        last_byte = f.offset + frame_header_size + f.header.length - 1;
      }
    }
    return {};
  };
  ASSERT_TRUE(scan.run({}, Lsn(1), Lsn(0), look));
  std::vector<uint8_t> bytes = env_->bytes(path);
  bytes[last_byte] ^= 1;
  env_->replace(path, bytes);
  for (const std::string& p : env_->paths()) {
    if (p.find("index.snap") != p.npos) env_->forget(p);
  }
  open();
  EXPECT_EQ(account_->open_report().damage.size(), 1u);
  EXPECT_EQ(account_->snapshot(inbox_)->size(), 20u);
  EXPECT_FALSE(account_->has_body(*account_->snapshot(inbox_)->message(0).body));
}

TEST_F(PackingTest, body_that_is_needed_outlives_its_record) {
  segment_bytes_ = 3000;
  open();
  std::vector<Sha256> names;
  for (uint32_t i = 0; i < 40; ++i) names.push_back(append(i));
  MailboxKey trash = *create_mailbox(*account_, "Trash");
  Batch b = account_->begin();
  for (uint32_t i = 0; i < 10; ++i) {
    NewMessage m;
    m.info = account_->snapshot(inbox_)->message(i);
    ASSERT_TRUE(b.add_message(trash, m));
  }
  ASSERT_TRUE(b.expunge(inbox_, UidSet(Uid(1), Uid(10))));
  ASSERT_TRUE(account_->commit(std::move(b)));
  expunge(11, 30);
  while (pass(eager())) {
  }
  size_t alone = 0;
  LogScan scan(*env_, directory / "log", *list_segments(*env_, directory / "log"), false);
  LogScan::OnBatch look = [&](std::span<const LogFrame> batch) -> Result<void> {
    for (const LogFrame& f : batch) {
      if (f.header.kind == FrameKind::body && !read_body_frame(f.header, f.payload)->part) ++alone;
    }
    return {};
  };
  ASSERT_TRUE(scan.run({}, Lsn(1), Lsn(0), look));
  EXPECT_EQ(alone, 10u);
  for (uint32_t i = 0; i < 10; ++i) EXPECT_EQ(*account_->open_body(names[i])->read_all(1 << 20), letter_text(i));
  expect_the_same_when_opened_again();
}

TEST_F(PackingTest, of_messages_that_share_a_frame_those_that_are_gone_go) {
  segment_bytes_ = 3000;
  open();
  for (uint32_t round = 0; round < 20; ++round) {
    Batch b = account_->begin();
    for (uint32_t i = 0; i < 32; ++i) {
      NewMessage m;
      m.info.size = 100 + i;
      m.info.email_id = "M" + std::to_string(round * 100 + i);
      ASSERT_TRUE(b.add_message(inbox_, m));
    }
    ASSERT_TRUE(account_->commit(std::move(b)));
  }
  const uint64_t before = log_bytes();
  for (uint32_t u = 1; u < 600; u += 3) expunge(u, u + 1);
  ASSERT_TRUE(account_->sync());
  while (pass(eager())) {
  }
  EXPECT_LT(log_bytes(), before + 200 * 80);
  size_t messages = 0;
  LogScan scan(*env_, directory / "log", *list_segments(*env_, directory / "log"), false);
  LogScan::OnBatch look = [&](std::span<const LogFrame> batch) -> Result<void> {
    for (const LogFrame& f : batch) {
      if (f.header.kind == FrameKind::messages) messages += record::decode_all(f.header, f.payload)->size();
    }
    return {};
  };
  ASSERT_TRUE(scan.run({}, Lsn(1), Lsn(0), look));
  EXPECT_LT(messages, 400u);
  EXPECT_GE(messages, 240u);
  expect_the_same_when_opened_again();
}

TEST_F(PackingTest, bodies_of_format_1_become_letters_with_their_messages_once_the_account_is_of_format_2) {
  account_.reset();
  env_ = std::make_unique<FaultEnv>();
  open(1);
  inbox_ = *create_mailbox(*account_, "INBOX");
  for (uint32_t i = 0; i < enough_small_bodies + 40; ++i) append(i, i % 7 == 0 ? "$Seventh" : "");
  expunge(11, 30);
  ASSERT_TRUE(account_->close());
  const uint64_t before = log_bytes();
  open(2);
  const std::string before_packing = describe(*account_);
  ASSERT_TRUE(account_->open_report().used_snapshot);
  // An index.snap of format 1 does not say how many small bodies there are.
  ASSERT_TRUE(account_->wants_dictionary());
  ASSERT_TRUE(account_->train_dictionary());
  EXPECT_EQ(count(FrameKind::message), enough_small_bodies + 40);
  for (int i = 0; pass(packing()); ++i) ASSERT_LT(i, 50);
  EXPECT_EQ(describe(*account_), before_packing);
  size_t letters = 0, joined = 0;
  LogScan scan(*env_, directory / "log", *list_segments(*env_, directory / "log"), false);
  LogScan::OnBatch look = [&](std::span<const LogFrame> batch) -> Result<void> {
    for (const LogFrame& f : batch) {
      if (f.header.kind != FrameKind::body || f.header.version != letter_version) continue;
      ++letters;
      joined += read_body_frame(f.header, f.payload)->part ? 1 : 0;
    }
    return {};
  };
  ASSERT_TRUE(scan.run({}, Lsn(1), Lsn(0), look));
  // All but what is still appended to.
  EXPECT_GT(letters, enough_small_bodies);
  EXPECT_EQ(joined, letters);
  EXPECT_LT(count(FrameKind::message), 30u);
  EXPECT_LT(log_bytes(), before * 2 / 3);
  expect_the_same_when_opened_again();
}

TEST_F(PackingTest, bodies_of_format_1_whose_messages_are_elsewhere_or_gone_become_letters_of_their_own) {
  account_.reset();
  env_ = std::make_unique<FaultEnv>();
  open(1);
  inbox_ = *create_mailbox(*account_, "INBOX");
  const MailboxKey other = *create_mailbox(*account_, "Other");
  const std::string big(300'000, 'x'), middle(100'000, 'y');  // in few bytes: most of the segment is small mail
  {
    Batch b = account_->begin();
    NewMessage m;
    for (uint32_t i = 0; i < 30; ++i) m.info.body = *b.add_body(*prepare(*account_, letter_text(i)));
    for (uint32_t i = 0; i < 30; ++i) {
      m.info.body = *b.add_body(*prepare(*account_, letter_text(i)));
      ASSERT_TRUE(b.add_message(i % 2 ? inbox_ : other, m));
    }
    for (const std::string& text : {big, middle, std::string()}) {
      m.info.body = *b.add_body(*prepare(*account_, text));
      ASSERT_TRUE(b.add_message(inbox_, m));
    }
    ASSERT_TRUE(account_->commit(std::move(b)));
  }
  // Two mailboxes share a body; the message that came with it goes.
  Sha256 shared = append(77);
  Batch b = account_->begin();
  NewMessage m;
  m.info.body = shared;
  ASSERT_TRUE(b.add_message(other, m));
  ASSERT_TRUE(account_->commit(std::move(b)));
  expunge(account_->snapshot(inbox_)->info().uid_next.value - 1, account_->snapshot(inbox_)->info().uid_next.value - 1);
  ASSERT_TRUE(account_->close());
  open(2);
  ASSERT_TRUE(account_->train_dictionary());  // finds that there is too little for one
  EXPECT_FALSE(account_->wants_dictionary());
  append(9000);
  RewriteOptions all = packing();
  all.dead_share = 0.0001;
  for (int i = 0; pass(all); ++i) ASSERT_LT(i, 50);
  size_t old_ones = 0;
  for (const LogFrame& f : frames()) old_ones += f.header.kind == FrameKind::body && f.header.version == 1 ? 1 : 0;
  EXPECT_EQ(old_ones, 1u);  // the big one
  expect_the_same_when_opened_again();
}

}  // namespace
}  // namespace storage
