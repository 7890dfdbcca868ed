// Real copies by cp, tar and rsync of a real directory, while another thread writes to it and rewrites it.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "storage/check.h"
#include "storage/space.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

class PlainCopy : public testing::TestWithParam<bool> {};

TEST_P(PlainCopy, opens_cleanly_or_names_what_is_missing) {
  const bool linger = GetParam();
  std::string pattern = testing::TempDir() + "plain-copy-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const std::filesystem::path root = pattern, user = root / "user";
  PosixEnv env;
  std::unique_ptr<Account> a = *Account::open(env, user, {.create = true, .segment_bytes = 16u << 10});
  MailboxKey box = *create_mailbox(*a, "INBOX");

  constexpr int copies = 12;
  std::atomic<bool> done{false};
  std::atomic<int> rounds{0};
  std::thread copier([&] {
    for (int i = 0; i < copies; ++i) {
      // Each begins in another round of the writer.
      rounds.wait(rounds.load());
      std::string from = user.string(), to = (root / std::to_string(i)).string();
      const std::string commands[] = {"cp -r " + from + " " + to,
                                      "mkdir " + to + " && tar -C " + from + " -cf - . | tar -C " + to + " -xf -",
                                      "rsync -a " + from + "/ " + to + "/"};
      (void)!std::system((commands[i % 3] + " 2>/dev/null").c_str());  // files may vanish under it
      EXPECT_TRUE(std::filesystem::exists(to)) << commands[i % 3];
    }
    done = true;
  });
  uint32_t seed = 0;
  for (; !done; ++rounds, rounds.notify_all()) {
    for (int i = 0; i < 20; ++i) {
      Batch b = a->begin();
      NewMessage m;
      m.info.body = *b.add_body(*prepare(*a, noise(900, seed++)));
      EXPECT_TRUE(b.add_message(box, m));
      EXPECT_TRUE(a->commit(std::move(b)));
    }
    Batch b = a->begin();
    uint32_t next = a->snapshot(box)->info().uid_next.value;
    EXPECT_TRUE(b.expunge(box, UidSet(Uid(next > 30 ? next - 30 : 1), Uid(next - 3))));
    EXPECT_TRUE(a->commit(std::move(b)));
    EXPECT_TRUE(a->sync());
    EXPECT_TRUE(rewrite(*a, eager()));
    EXPECT_TRUE(Space(*a).retire({linger ? 3600 : 0, linger ? 7200 : rounds % 2}));
    if (rounds % 3 == 0) {
      EXPECT_TRUE(a->checkpoint());
    }
  }
  copier.join();
  for (int i = 0; i < copies; ++i) {
    SCOPED_TRACE(i);
    std::filesystem::path copy = root / std::to_string(i);
    Result<std::unique_ptr<Account>> opened = Account::open(env, copy, {});
    if (!opened && !linger) continue;
    ASSERT_TRUE(opened) << opened.error().describe();
    const std::vector<OpenReport::Damage>& damage = (*opened)->open_report().damage;
    if (!damage.empty()) {
      EXPECT_FALSE(linger) << damage[0].what << " " << damage[0].where;
      EXPECT_NE(damage[0].what.find("LSN"), std::string::npos) << damage[0].what;
      continue;
    }
    EXPECT_EQ(describe(**opened).find("NO BODY"), std::string::npos);
    ASSERT_TRUE((*opened)->close());
    Result<CheckReport> report = check_store(env, copy);
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->clean()) << report->problems[0].what << " " << report->problems[0].where;
  }
  ASSERT_TRUE(a->close());
  std::filesystem::remove_all(root);
}

INSTANTIATE_TEST_SUITE_P(Linger, PlainCopy, testing::Bool(),
                         [](const auto& i) { return i.param ? "as_it_is" : "moved_at_once"; });

}  // namespace
}  // namespace storage
