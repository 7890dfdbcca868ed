// A rewritten segment in place of others: what opening makes of it, whole, damaged, cut short, or made for a longer
// log.
#include "storage/segment_writer.h"

#include <gtest/gtest.h>

#include "storage/account.h"
#include "storage/check.h"
#include "storage/log_scan.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

const std::filesystem::path directory = "/disk/user";
const std::filesystem::path log_directory = directory / "log";

class SegmentWriterTest : public testing::Test {
 protected:
  SegmentWriterTest() {
    account_ = *Account::open(env_, directory, {.create = true, .segment_bytes = 2000, .format = 1});
    key_ = *create_mailbox(*account_, "INBOX");
    for (uint32_t i = 0; i < 12; ++i) {
      Batch b = account_->begin();
      NewMessage m;
      m.info.body = *b.add_body(*prepare(*account_, noise(500, i)));
      EXPECT_TRUE(b.add_message(key_, m));
      EXPECT_TRUE(account_->commit(std::move(b)));
    }
    EXPECT_TRUE(account_->sync());
    before_ = describe(*account_);
    account_.reset();
    names_ = *list_segments(env_, log_directory);
    EXPECT_GE(names_.size(), 3u);
  }

  // All frames of the first two segments but those of `without`, as one new segment.
  SegmentName rewrite(std::span<const uint64_t> without = {}, Lsn needs = Lsn(1)) {
    Lsn last(names_[2].first.value - 1);
    SegmentHeader h;
    h.first = names_[0].first;
    h.last = last;
    h.generation = 1;
    h.needs = needs;
    for (size_t s = 0; s < 2; ++s) {
      std::vector<uint8_t> bytes = env_.bytes((log_directory / names_[s].text()).string());
      std::optional<SegmentHeader> from = SegmentHeader::decode(bytes);
      h.account = from->account;
      if (!writer_) writer_ = *SegmentWriter::create(env_, log_directory, h);
      for (size_t at = segment_header_size; at < bytes.size();) {
        FrameHeader f = *FrameHeader::decode(std::span(bytes).subspan(at), from->salt);
        bool keep = std::find(without.begin(), without.end(), f.lsn.value) == without.end();
        if (keep) {
          EXPECT_TRUE(writer_->add(f, std::span(bytes).subspan(at + frame_header_size, f.length)));
        } else if (f.lsn == last) {
          EXPECT_TRUE(writer_->add_filler(f));
        }
        if (f.flags & last_of_batch) {
          EXPECT_TRUE(writer_->end_batch());
        }
        at += frame_header_size + f.length;
      }
    }
    EXPECT_TRUE(writer_->seal());
    EXPECT_TRUE(writer_->publish());
    return writer_->name();
  }
  std::string file(const SegmentName& name) { return (log_directory / name.text()).string(); }
  Result<std::unique_ptr<Account>> open() { return Account::open(env_, directory, {}); }

  FaultEnv env_;
  std::unique_ptr<Account> account_;
  MailboxKey key_;
  std::string before_;
  std::vector<SegmentName> names_;
  std::unique_ptr<SegmentWriter> writer_;
};

TEST_F(SegmentWriterTest, copy_of_all_frames_says_the_same_with_and_without_its_sources) {
  SegmentName made = rewrite();
  EXPECT_EQ(list_segments(env_, log_directory)->front(), made);
  EXPECT_EQ(list_segments(env_, log_directory)->size(), names_.size() - 1);
  for (bool sources : {true, false}) {
    if (!sources) {
      env_.forget(file(names_[0]));
      env_.forget(file(names_[1]));
    }
    Result<std::unique_ptr<Account>> a = open();
    ASSERT_TRUE(a);
    EXPECT_TRUE((*a)->open_report().damage.empty());
    EXPECT_EQ(describe(**a), before_);
    EXPECT_TRUE(check_store(env_, directory)->clean());
    ASSERT_TRUE((*a)->close());  // index.snap names it
  }
  Result<std::unique_ptr<Account>> a = open();
  ASSERT_TRUE(a);
  EXPECT_TRUE((*a)->open_report().used_snapshot);
  EXPECT_EQ(describe(**a), before_);
}

TEST_F(SegmentWriterTest, frames_may_be_left_out_also_the_last_of_a_batch_and_of_the_segment) {
  // Body and message frames alternate from LSN 2 on: the whole second batch, a batch's end, the segment's end.
  uint64_t end = names_[2].first.value - 1;
  std::vector<uint64_t> without{4, 5, 7, end};
  rewrite(without);
  Result<std::unique_ptr<Account>> a = open();
  ASSERT_TRUE(a);
  EXPECT_TRUE((*a)->open_report().damage.empty()) << (*a)->open_report().damage[0].what;
  EXPECT_EQ((*a)->snapshot(key_)->size(), 12u - 3u);
  EXPECT_FALSE((*a)->snapshot(key_)->find(Uid(2)));
  EXPECT_FALSE((*a)->snapshot(key_)->find(Uid(3)));
  EXPECT_TRUE((*a)->snapshot(key_)->find(Uid(4)));
}

TEST_F(SegmentWriterTest, cut_anywhere_or_damaged_it_never_opens_cleanly) {
  SegmentName made = rewrite();
  env_.forget(file(names_[0]));
  env_.forget(file(names_[1]));
  const std::vector<uint8_t> good = env_.bytes(file(made));
  std::vector<std::vector<uint8_t>> bad;
  for (size_t n = 0; n < good.size(); n += n < 300 ? 1 : 37) {
    bad.emplace_back(good.begin(), good.begin() + static_cast<ptrdiff_t>(n));
  }
  // Frame boundaries, too.
  std::optional<SegmentHeader> h = SegmentHeader::decode(good);
  for (size_t at = segment_header_size; at < good.size();) {
    bad.emplace_back(good.begin(), good.begin() + static_cast<ptrdiff_t>(at));
    at += frame_header_size + FrameHeader::decode(std::span(good).subspan(at), h->salt)->length;
  }
  for (size_t at = 0; at < good.size(); at += 29) {
    bad.push_back(good);
    bad.back()[at] ^= 8;
  }
  bad.push_back(good);
  bad.back().resize(good.size() + 10);
  for (const std::vector<uint8_t>& b : bad) {
    std::unique_ptr<FaultEnv> other = env_.image(Survives::all);
    other->replace(file(made), b);
    Result<std::unique_ptr<Account>> a = Account::open(*other, directory, {});
    ASSERT_TRUE(a) << a.error().describe();
    ASSERT_FALSE((*a)->open_report().damage.empty()) << b.size() << " of " << good.size();
    ASSERT_EQ((*a)->open_report().torn_bytes, 0u) << b.size();
    ASSERT_FALSE(check_store(*other, directory)->clean());
  }
}

TEST_F(SegmentWriterTest, log_that_ends_before_the_state_it_was_made_from_is_named_and_stays_so) {
  Lsn end(25);  // one body and one message frame for each of 12, after the mailbox
  rewrite({}, Lsn(end.value + 4));
  for (int i = 0; i < 2; ++i) {
    Result<std::unique_ptr<Account>> a = open();
    ASSERT_TRUE(a);
    ASSERT_EQ((*a)->open_report().damage.size(), 1u);
    EXPECT_NE((*a)->open_report().damage[0].what.find("LSN 26 to 29"), std::string::npos)
        << (*a)->open_report().damage[0].what;
    ASSERT_TRUE(create_mailbox(**a, "Box" + std::to_string(i)));
    ASSERT_TRUE((*a)->sync());
  }
}

TEST_F(SegmentWriterTest, what_was_not_published_is_removed_and_what_is_missing_comes_back_from_retired) {
  SegmentName made = rewrite();
  std::vector<uint8_t> bytes = env_.bytes(file(made));
  env_.replace(file(made) + ".tmp", bytes);
  env_.forget(file(made));
  // A copy that has the sources in retired/ only.
  for (size_t s = 0; s < 2; ++s) {
    RetiredName r{names_[s].first, Lsn(names_[s + 1].first.value - 1), 0, 1'700'000'000};
    EXPECT_EQ(RetiredName::parse(r.text()), r);
    EXPECT_FALSE(SegmentName::parse(r.text()));
    env_.replace((directory / "retired" / r.text()).string(), env_.bytes(file(names_[s])));
    env_.forget(file(names_[s]));
  }
  EXPECT_TRUE(check_store(env_, directory)->clean());  // which moves nothing
  EXPECT_FALSE(env_.open(file(names_[0]), Env::Mode::read));
  Result<std::unique_ptr<Account>> a = open();
  ASSERT_TRUE(a) << a.error().describe();
  EXPECT_TRUE((*a)->open_report().damage.empty());
  EXPECT_EQ(describe(**a), before_);
  EXPECT_TRUE(env_.open(file(names_[0]), Env::Mode::read));
  EXPECT_FALSE(env_.open(file(made) + ".tmp", Env::Mode::read));
}

TEST_F(SegmentWriterTest, refuses_frames_that_are_not_what_they_say) {
  SegmentHeader h;
  h.first = Lsn(5);
  h.last = Lsn(9);
  h.generation = 1;
  std::unique_ptr<SegmentWriter> w = *SegmentWriter::create(env_, log_directory, h);
  std::vector<uint8_t> payload{1, 2, 3};
  FrameHeader f;
  f.kind = FrameKind::epoch;
  f.lsn = Lsn(5);
  f.length = 3;
  EXPECT_EQ(w->add(f, payload).error().code, Errc::corrupt);
  f.lsn = Lsn(4);
  EXPECT_FALSE(w->begin(f));
  f.lsn = Lsn(10);
  EXPECT_FALSE(w->begin(f));
  EXPECT_FALSE(w->seal());  // LSN 9 is not there
  EXPECT_TRUE(w->discard());
  EXPECT_EQ(*list_segments(env_, log_directory), names_);
}

}  // namespace
}  // namespace storage
