// What other threads may do while the owner writes. Run under TSan, too.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "storage/account.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

TEST(Sync, runs_beside_commits_and_readers_and_covers_what_came_before_it) {
  std::filesystem::path directory = std::filesystem::path(testing::TempDir()) / "storage_sync_test";
  std::filesystem::remove_all(directory);
  PosixEnv env;
  std::unique_ptr<Account> a = *Account::open(env, directory, {.create = true, .segment_bytes = 16u << 10});
  MailboxKey key = *create_mailbox(*a, "INBOX");
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> committed{0};
  std::atomic<uint64_t> last_body{0};
  std::vector<Sha256> bodies(400);
  std::atomic<bool> wrong{false};
  auto syncer = [&] {
    while (!stop) {
      uint64_t before = committed;
      Result<Lsn> r = a->sync();
      if (!r || r->value < before || a->durable().value < before) wrong = true;
    }
  };
  auto reader = [&] {
    while (!stop) {
      uint64_t n = last_body;
      if (n == 0) continue;
      Result<BodyReader> r = a->open_body(bodies[n - 1]);
      if (!r || !r->read_all(1 << 20)) wrong = true;
    }
  };
  std::thread one(syncer), two(syncer), three(reader);
  for (uint32_t i = 0; i < bodies.size(); ++i) {
    Result<PreparedBody> p = prepare(*a, noise(500 + i, i));
    Batch b = a->begin();
    NewMessage m;
    m.info.body = bodies[i] = *b.add_body(std::move(*p));
    ASSERT_TRUE(b.add_message(key, m));
    Result<Lsn> lsn = a->commit(std::move(b));
    ASSERT_TRUE(lsn);
    committed = lsn->value;
    last_body = i + 1;
  }
  stop = true;
  one.join();
  two.join();
  three.join();
  EXPECT_FALSE(wrong);
  ASSERT_TRUE(a->close());
  std::string before = describe(*a);
  a = *Account::open(env, directory, {});
  EXPECT_EQ(describe(*a), before);
  EXPECT_GT(std::distance(std::filesystem::directory_iterator(directory / "log"), {}), 5);
  a.reset();
  std::filesystem::remove_all(directory);
}

TEST(Snapshot, packed_messages_are_read_by_many_threads_at_once) {
  std::filesystem::path directory = std::filesystem::path(testing::TempDir()) / "storage_snapshot_threads";
  std::filesystem::remove_all(directory);
  PosixEnv env;
  std::unique_ptr<Account> a = *Account::open(env, directory, {.create = true});
  MailboxKey key = *create_mailbox(*a, "INBOX");
  Batch b = a->begin();
  for (uint32_t i = 0; i < 3000; ++i) {
    NewMessage m;
    m.info.uidl = std::to_string(i);
    ASSERT_TRUE(b.add_message(key, m));
  }
  ASSERT_TRUE(a->commit(std::move(b)));
  ASSERT_TRUE(a->close());
  a = *Account::open(env, directory, {});
  ASSERT_TRUE(a->open_report().used_snapshot);
  MailboxSnapshotPtr s = a->snapshot(key);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (uint32_t i = 0; i < s->size(); ++i) wrong += s->message(i).uidl != std::to_string(i) ? 1 : 0;
    });
  }
  // The owner goes on adding to the same chunks.
  for (int n = 0; n < 20; ++n) {
    Batch more = a->begin();
    ASSERT_TRUE(more.add_message(key, {}));
    ASSERT_TRUE(a->commit(std::move(more)));
    EXPECT_EQ(a->snapshot(key)->size(), 3001u + static_cast<uint32_t>(n));
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
  a.reset();
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace storage
