#include "gateway/source/log_lease.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "storage/frame.h"

namespace gateway::source {
namespace {

namespace fs = std::filesystem;

class LogLeaseTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fairlead-lease-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    log_ = dir_ / "log";
    fs::create_directory(log_);
    auto c = control::open_sqlite({dir_ / "control.db", dir_ / "secret.key"});
    ASSERT_TRUE(c) << c.error().describe();
    control_ = std::move(*c);
    control::User u;
    u.name = "anna";
    ASSERT_TRUE(control_->add_user(u));
    write(segment_, "first");
  }
  void TearDown() override {
    control_.reset();
    fs::remove_all(dir_);
  }
  void write(const std::string& name, const std::string& bytes) { std::ofstream(log_ / name, std::ios::app) << bytes; }
  LogLease lease() { return LogLease(*control_, "anna", log_); }
  bool restored(uint64_t end) {
    LogLease l(*control_, "anna", log_);
    auto verdict = l.check(Lsn(end));
    EXPECT_TRUE(verdict);
    return verdict->restored;
  }
  void note(uint64_t durable) {
    LogLease l(*control_, "anna", log_);
    ASSERT_TRUE(l.check(Lsn(durable)));
    ASSERT_TRUE(l.note(Lsn(durable)));
  }

  fs::path dir_, log_;
  std::unique_ptr<control::Control> control_;
  const std::string segment_ = storage::SegmentName{Lsn(1), Lsn(0), 0}.text();
};

TEST_F(LogLeaseTest, an_account_that_was_never_seen_is_no_older_one) { EXPECT_FALSE(restored(7)); }

TEST_F(LogLeaseTest, a_crash_is_no_restore_wherever_the_log_ends) {
  note(100);
  write(segment_, "more");
  EXPECT_FALSE(restored(100));
  EXPECT_FALSE(restored(100 + LogLease::step / 3));
  EXPECT_FALSE(restored(100 + 2 * LogLease::step));
}

TEST_F(LogLeaseTest, a_log_that_ends_below_what_was_durable_is_an_older_one) {
  note(100);
  EXPECT_TRUE(restored(99));
}

TEST_F(LogLeaseTest, another_file_under_the_name_is_an_older_one_after_a_crash) {
  note(100);
  fs::copy_file(log_ / segment_, dir_ / "backup");
  fs::remove(log_ / segment_);
  fs::copy_file(dir_ / "backup", log_ / segment_);
  EXPECT_TRUE(restored(100));
  EXPECT_TRUE(restored(150));
}

TEST_F(LogLeaseTest, a_file_that_went_back_in_time_is_an_older_one_after_a_crash) {
  note(100);
  fs::last_write_time(log_ / segment_, fs::last_write_time(log_ / segment_) - std::chrono::hours(5));
  EXPECT_TRUE(restored(150));
}

TEST_F(LogLeaseTest, after_an_orderly_end_only_the_numbers_count) {
  LogLease l = LogLease(*control_, "anna", log_);
  ASSERT_TRUE(l.check(Lsn(100)));
  ASSERT_TRUE(l.note(Lsn(100)));
  ASSERT_TRUE(l.close(Lsn(130)));
  fs::rename(log_ / segment_, dir_ / "moved");
  fs::copy_file(dir_ / "moved", log_ / segment_);  // the data was moved to another disk
  EXPECT_FALSE(restored(130));
  EXPECT_TRUE(restored(129));
}

TEST_F(LogLeaseTest, a_segment_that_was_rewritten_or_followed_by_another_is_no_restore) {
  note(100);
  write(storage::SegmentName{Lsn(90), Lsn(0), 0}.text(), "next");
  EXPECT_FALSE(restored(100));
  fs::remove(log_ / segment_);
  EXPECT_TRUE(restored(100));
  write(storage::SegmentName{Lsn(1), Lsn(89), 1}.text(), "rewritten");
  EXPECT_FALSE(restored(100));
}

TEST_F(LogLeaseTest, it_is_written_in_steps) {
  LogLease l(*control_, "anna", log_);
  ASSERT_TRUE(l.check(Lsn(10)));
  ASSERT_TRUE(l.note(Lsn(10)));
  const auto first = *control_->log_lease("anna");
  for (uint64_t at = 11; at < LogLease::step / 2; at += 100) ASSERT_TRUE(l.note(Lsn(at)));
  EXPECT_EQ((*control_->log_lease("anna"))->used, first->used);
  ASSERT_TRUE(l.note(Lsn(LogLease::step)));
  EXPECT_EQ((*control_->log_lease("anna"))->used, Lsn(LogLease::step));
}

TEST_F(LogLeaseTest, a_user_who_was_removed_and_comes_back_starts_anew) {
  note(100);
  ASSERT_TRUE(control_->remove_user("anna"));
  control::User u;
  u.name = "anna";
  ASSERT_TRUE(control_->add_user(u));
  EXPECT_FALSE(restored(5));
}

}  // namespace
}  // namespace gateway::source
