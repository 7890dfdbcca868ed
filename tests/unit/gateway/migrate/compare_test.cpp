// Each kind of damage between a source and its copy is seen, by its own counter.

#include "gateway/migrate/compare.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "storage/account.h"

namespace gateway::migrate {
namespace {

using source::Listed;
using storage::ModSeq;
using storage::Uid;

class CompareTest : public testing::Test {
 protected:
  CompareTest() {
    static std::random_device seed;
    directory_ = std::filesystem::temp_directory_path() / ("fairlead-compare-" + std::to_string(seed()));
    storage::OpenOptions options;
    options.create = true;
    store_ = *storage::Account::open(env_, directory_, options);
    storage::Batch batch = store_->begin();
    storage::MailboxInfo info;
    info.name = "INBOX";
    info.uid_validity = storage::UidValidity(7);
    info.mode = storage::ModSeqMode::mirror;
    key_ = *batch.create_mailbox(info);
    for (uint32_t uid : {1u, 3u}) {
      storage::NewMessage m;
      m.uid = Uid(uid);
      m.modseq = ModSeq(10 + uid);
      m.info.date = {1000 + uid, 60};
      m.info.size = 100 * uid;
      (void)*batch.add_message(key_, m);
    }
    storage::MailboxChange numbers;
    numbers.highest_modseq = ModSeq(20);
    (void)batch.change_mailbox(key_, numbers);
    (void)*store_->commit(std::move(batch));
  }
  ~CompareTest() override { std::filesystem::remove_all(directory_); }

  static Listed listed(uint32_t uid) {
    Listed m;
    m.uid = Uid(uid);
    m.flags.emplace();
    m.modseq = ModSeq(10 + uid);
    m.date = storage::InternalDate{1000 + uid, 60};
    m.size = 100 * uid;
    return m;
  }
  static SourceNumbers numbers() {
    SourceNumbers n;
    n.uid_validity = storage::UidValidity(7);
    n.uid_next = Uid(4);
    n.highest_modseq = ModSeq(20);
    return n;
  }
  template <class... M>
  VerifyReport::Mailbox compare_by(const SourceNumbers& n, const M&... source) {
    MailboxCompare c("INBOX", store_->snapshot(key_), n);
    (c.add(source, std::nullopt), ...);
    return c.finish();
  }
  template <class... M>
  VerifyReport::Mailbox compare(const M&... source) {
    return compare_by(numbers(), source...);
  }
  void expect_only(const char* what, const VerifyReport::Mailbox& m) {
    EXPECT_FALSE(m.equal) << what;
    for (const auto& [key, count] : m.differences) EXPECT_EQ(count, key == what ? 1u : 0u) << key << " for " << what;
  }

  storage::PosixEnv env_;
  std::filesystem::path directory_;
  std::unique_ptr<storage::Account> store_;
  wire::base::MailboxKey key_;
};

TEST_F(CompareTest, equal_sides_are_equal) {
  const auto m = compare(listed(3), listed(1));
  EXPECT_TRUE(m.equal);
  EXPECT_EQ(m.messages, 2u);
}

TEST_F(CompareTest, every_difference_has_its_own_counter) {
  expect_only("extra", compare(listed(1)));
  expect_only("missing", compare(listed(1), listed(2), listed(3)));
  Listed m = listed(3);
  m.flags->system = wire::base::seen;
  expect_only("flags", compare(listed(1), m));
  m = listed(3);
  m.date->zone_minutes = 0;
  expect_only("internaldate", compare(listed(1), m));
  m = listed(3);
  m.size = 301;
  expect_only("size", compare(listed(1), m));
  m = listed(3);
  m.modseq = ModSeq(14);
  expect_only("modseq", compare(listed(1), m));
  SourceNumbers n = numbers();
  n.uid_validity = storage::UidValidity(8);
  expect_only("uidvalidity", compare_by(n, listed(1), listed(3)));
  n = numbers();
  n.uid_next = Uid(5);
  expect_only("uidnext", compare_by(n, listed(1), listed(3)));
  n = numbers();
  n.highest_modseq = ModSeq(21);
  expect_only("highestmodseq", compare_by(n, listed(1), listed(3)));
}

TEST_F(CompareTest, a_body_that_is_not_in_the_copy_is_a_difference) {
  MailboxCompare c("INBOX", store_->snapshot(key_), numbers());
  c.add(listed(1), storage::Sha256{});
  c.add(listed(3), std::nullopt);
  expect_only("body", c.finish());
}

TEST_F(CompareTest, a_mailbox_that_the_copy_lacks_is_missing) {
  MailboxCompare c("INBOX", nullptr, numbers());
  c.add(listed(1), std::nullopt);
  expect_only("missing", c.finish());
}

}  // namespace
}  // namespace gateway::migrate
