#include "storage/dictionary.h"

#include <gtest/gtest.h>

#include <random>

#include "storage/account.h"
#include "storage/check.h"
#include "storage/letter.h"
#include "storage/log_scan.h"
#include "storage/repair.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::string log_path = "/disk/user/log/0000000000000001-open-0000.log";

class DictionaryTest : public testing::Test {
 protected:
  void open(uint32_t format = 2) { account_ = *Account::open(env_, "/disk/user", {.create = true, .format = format}); }
  Sha256 append(uint32_t i) {
    std::string text = letter_text(i);
    Batch b = account_->begin();
    NewMessage m;
    m.info.size = text.size();
    m.info.body = *b.add_body(*prepare(*account_, text));
    EXPECT_TRUE(b.add_message(key_, m));
    EXPECT_TRUE(account_->commit(std::move(b)));
    return *m.info.body;
  }
  void fill() {
    key_ = *create_mailbox(*account_, "INBOX");
    for (uint32_t i = 0; i < enough_small_bodies; ++i) append(i);
  }
  void damage_dictionary() {
    LogScan scan(env_, "/disk/user/log", *list_segments(env_, "/disk/user/log"), false);
    uint64_t at = 0;
    LogScan::OnBatch look = [&](std::span<const LogFrame> batch) -> Result<void> {
      for (const LogFrame& f : batch) {
        if (f.header.kind == FrameKind::dictionary) at = f.offset + frame_header_size + 500;
      }
      return {};
    };
    ASSERT_TRUE(scan.run({}, Lsn(1), Lsn(0), look));
    ASSERT_GT(at, 0u);
    std::vector<uint8_t> bytes = env_.bytes(log_path);
    bytes[at] ^= 4;
    env_.replace(log_path, bytes);
  }
  uint64_t log_size() { return env_.bytes(log_path).size(); }

  FaultEnv env_;
  std::unique_ptr<Account> account_;
  MailboxKey key_;
};

TEST_F(DictionaryTest, is_trained_once_there_is_enough_mail_and_makes_the_rest_smaller) {
  open();
  fill();
  ASSERT_TRUE(account_->wants_dictionary());
  // What twenty messages take on top of their records, with and without.
  auto twenty = [&](uint32_t from) {
    uint64_t before = log_size();
    for (uint32_t i = from; i < from + 20; ++i) append(i);
    return log_size() - before;
  };
  uint64_t plain = twenty(5000);
  ASSERT_TRUE(account_->train_dictionary());
  EXPECT_FALSE(account_->wants_dictionary());
  append(5500);  // takes the dictionary along
  EXPECT_LT(twenty(5600), plain * 3 / 4);
  Sha256 name = append(5700);
  EXPECT_EQ(*account_->open_body(name)->read_all(1 << 20), letter_text(5700));
  std::string now = describe(*account_);
  // By index.snap and by the log alone.
  for (bool close : {false, true}) {
    if (close) {
      ASSERT_TRUE(account_->close());
    }
    account_.reset();
    open();
    EXPECT_EQ(account_->open_report().used_snapshot, close);
    EXPECT_FALSE(account_->wants_dictionary());
    EXPECT_EQ(describe(*account_), now);
    append(6000 + (close ? 1 : 0));
    now = describe(*account_);
  }
  EXPECT_TRUE(check_store(env_, "/disk/user")->clean());
}

TEST_F(DictionaryTest, account_of_format_1_wants_none) {
  open(1);
  fill();
  EXPECT_FALSE(account_->wants_dictionary());
  EXPECT_TRUE(account_->train_dictionary());
}

TEST_F(DictionaryTest, checkpoint_writes_one_that_waits) {
  open();
  fill();
  ASSERT_TRUE(account_->train_dictionary());
  ASSERT_TRUE(account_->close());
  account_.reset();
  open();
  EXPECT_FALSE(account_->wants_dictionary());
}

TEST_F(DictionaryTest, one_that_is_damaged_is_named_and_costs_no_new_message) {
  open();
  fill();
  ASSERT_TRUE(account_->train_dictionary());
  append(6999);  // takes it along
  Sha256 with = append(7000);
  ASSERT_TRUE(account_->close());
  account_.reset();
  damage_dictionary();
  Result<CheckReport> report = check_store(env_, "/disk/user");
  ASSERT_TRUE(report);
  bool named = false;
  for (const CheckProblem& p : report->problems) named = named || p.what.find("dictionary 1 is missing") == 0;
  EXPECT_TRUE(named);
  open();
  Result<BodyReader> r = account_->open_body(with);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::corrupt);
  EXPECT_NE(r.error().note.find("dictionary 1"), std::string::npos);
  Sha256 next = append(7001);
  EXPECT_EQ(*account_->open_body(next)->read_all(1 << 20), letter_text(7001));
}

TEST_F(DictionaryTest, number_of_one_that_the_log_has_lost_is_not_given_again) {
  open();
  fill();
  ASSERT_TRUE(account_->train_dictionary());
  append(6999);
  Sha256 with = append(7000);
  account_.reset();
  damage_dictionary();
  for (bool by_snapshot : {false, true}) {
    open();
    EXPECT_EQ(account_->open_report().used_snapshot, by_snapshot);
    for (uint32_t i = 0; i < enough_small_bodies && !by_snapshot; ++i) append(10000 + i);
    EXPECT_EQ(account_->wants_dictionary(), !by_snapshot);
    ASSERT_TRUE(account_->train_dictionary());
    append(20000);
    Sha256 next = append(20001);
    EXPECT_EQ(*account_->open_body(next)->read_all(1 << 20), letter_text(20001));
    EXPECT_FALSE(account_->open_body(with));
    ASSERT_TRUE(account_->close());
    account_.reset();
  }
}

TEST_F(DictionaryTest, repair_takes_a_lost_one_from_an_older_copy_and_drops_nothing_without) {
  open();
  fill();
  ASSERT_TRUE(account_->train_dictionary());
  append(6999);
  Sha256 with = append(7000);
  ASSERT_TRUE(account_->close());
  std::string whole = describe(*account_);
  account_.reset();
  for (const std::string& path : env_.paths()) {
    if (path.rfind("/disk/user/", 0) != 0) continue;
    env_.replace("/disk/older/" + path.substr(11), env_.bytes(path));
  }
  damage_dictionary();
  ASSERT_TRUE(repair_store(env_, "/disk/user", {}));
  open();
  EXPECT_TRUE(account_->has_body(with));
  EXPECT_FALSE(account_->open_body(with));
  account_.reset();
  RepairOptions options;
  options.from = "/disk/older";
  Result<RepairReport> r = repair_store(env_, "/disk/user", options);
  ASSERT_TRUE(r) << r.error().describe();
  open();
  EXPECT_EQ(*account_->open_body(with)->read_all(1 << 20), letter_text(7000));
  EXPECT_EQ(describe(*account_), whole);
  EXPECT_TRUE(check_store(env_, "/disk/user")->clean());
}

TEST_F(DictionaryTest, letters_of_a_lost_one_are_found_to_be_missing_and_can_be_added_again) {
  open();
  fill();
  EXPECT_FALSE(account_->dictionary_lost());
  ASSERT_TRUE(account_->train_dictionary());
  append(6999);
  std::vector<Sha256> with{append(7000), append(7001)};
  EXPECT_FALSE(account_->dictionary_lost());
  ASSERT_TRUE(account_->close());
  std::string whole = describe(*account_);
  account_.reset();
  damage_dictionary();
  ASSERT_TRUE(repair_store(env_, "/disk/user", {}));
  CheckReport report = *check_store(env_, "/disk/user");
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_EQ(report.problems[0].what.find("dictionary 1 is missing or damaged: 2 messages"), 0u)
      << report.problems[0].what;
  open();
  EXPECT_TRUE(account_->dictionary_lost());
  for (uint32_t i = 0; i < with.size(); ++i) {
    EXPECT_FALSE(account_->open_body(with[i]));
    EXPECT_FALSE(account_->has_body(with[i]));
    Batch b = account_->begin();
    EXPECT_EQ(*b.add_body(*prepare(*account_, letter_text(7000 + i))), with[i]);
    ASSERT_TRUE(account_->commit(std::move(b)));
  }
  EXPECT_EQ(describe(*account_), whole);
  ASSERT_TRUE(account_->close());
  EXPECT_TRUE(check_store(env_, "/disk/user")->clean());
}

TEST(Dictionary, hostile_payloads_end_in_an_error_or_a_value) {
  std::vector<std::string> samples;
  for (uint32_t i = 0; i < 300; ++i) samples.push_back(letter_text(i));
  std::vector<uint8_t> made = train_dictionary(samples);
  ASSERT_GT(made.size(), 1000u);
  Buffer payload;
  encode_dictionary(payload, 3, made);
  uint32_t id = 0;
  EXPECT_EQ(*decode_dictionary(payload.bytes(), id), made);
  EXPECT_EQ(id, 3u);
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    std::vector<uint8_t> bytes(payload.data(), payload.data() + payload.size());
    bytes.resize(random() % bytes.size() + 1);
    bytes[random() % bytes.size()] ^= static_cast<uint8_t>(random() | 1);
    Result<std::vector<uint8_t>> got = decode_dictionary(bytes, id);
    if (!got) {
      EXPECT_EQ(got.error().code, Errc::corrupt);
    }
  }
  // Bytes that are no dictionary of zstd's are used as they are, or refused: never a crash.
  Dictionary odd(1, std::vector<uint8_t>(2000, 'x'));
  Buffer out;
  std::string text(300, 'x');
  EXPECT_FALSE(compress_letter(out, wire::base::as_bytes(text), &odd, level_with_dictionary));
}

}  // namespace
}  // namespace storage
