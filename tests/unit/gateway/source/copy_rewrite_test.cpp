// A pass over a real store, with its steps on a pool and on the account's core.
#include <gtest/gtest.h>

#include <cstdlib>

#include "gateway/source/copy.h"
#include "storage/segments.h"

namespace gateway::source {
namespace {

class CopyRewrite : public testing::Test {
 protected:
  CopyRewrite() {
    std::string pattern = testing::TempDir() + "copy-rewrite-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    store_ = open();
    storage::Batch make = store_->begin();
    storage::MailboxInfo info;
    info.name = "INBOX";
    key_ = *make.create_mailbox(info);
    EXPECT_TRUE(store_->commit(std::move(make)));
    for (uint32_t i = 0; i < 60; ++i) {
      storage::BodyWriter writer = store_->new_body();
      std::string text(500, static_cast<char>('a' + i % 26));
      text += std::to_string(i);
      for (uint32_t k = 0; k < 200; ++k) text += static_cast<char>(k * k * (i + 3));
      EXPECT_TRUE(writer.write(wire::base::as_bytes(text)));
      storage::Batch b = store_->begin();
      storage::NewMessage m;
      m.info.body = *b.add_body(*writer.finish());
      EXPECT_TRUE(b.add_message(key_, m));
      EXPECT_TRUE(store_->commit(std::move(b)));
    }
    storage::Batch b = store_->begin();
    EXPECT_TRUE(b.expunge(key_, storage::UidSet(storage::Uid(2), storage::Uid(50))));
    EXPECT_TRUE(store_->commit(std::move(b)));
    EXPECT_TRUE(store_->sync());
  }
  ~CopyRewrite() override { std::filesystem::remove_all(root_); }

  std::unique_ptr<storage::Account> open() {
    return *storage::Account::open(env_, root_ / "user", {.create = true, .segment_bytes = 4000});
  }
  storage::SegmentName first() { return storage::list_segments(env_, root_ / "user" / "log")->front(); }
  template <class F>
  void run(F&& f) {
    asio::io_context core(1);
    asio::thread_pool pool(2);
    Copy copy(core.get_executor(), pool, std::move(store_));
    bool ended = false;
    auto all = [&]() -> awaitable<void> {
      co_await f(copy);
      ended = true;
    };
    asio::co_spawn(core, all, [](std::exception_ptr e) {
      if (e) std::rethrow_exception(e);
    });
    core.run();
    EXPECT_TRUE(ended);
    pool.join();
  }

  storage::PosixEnv env_;
  std::filesystem::path root_;
  std::unique_ptr<storage::Account> store_;
  storage::MailboxKey key_;
};

TEST_F(CopyRewrite, gives_space_back_once_and_not_while_pinned) {
  run([](Copy& copy) -> awaitable<void> {
    auto pinned = co_await copy.pin("backup", "test");
    EXPECT_TRUE(pinned);
    auto none = co_await copy.rewrite(100);
    EXPECT_TRUE(none && *none == RewriteOutcome::later);
    auto ended = co_await copy.unpin("backup");
    EXPECT_TRUE(ended);
    auto done = co_await copy.rewrite(50);
    EXPECT_TRUE(done && *done == RewriteOutcome::gained);
    // A run is four segments long: there is more, and then there is not.
    for (int turn = 0; turn < 10 && done && *done == RewriteOutcome::gained; ++turn) done = co_await copy.rewrite(100);
    EXPECT_TRUE(done && *done == RewriteOutcome::nothing);
    auto closed = co_await copy.close();
    EXPECT_TRUE(closed);
  });
  EXPECT_GT(first().generation, 0u);
  store_ = open();
  EXPECT_TRUE(store_->open_report().damage.empty());
  EXPECT_TRUE(store_->open_report().used_snapshot);
  EXPECT_EQ(store_->snapshot(key_)->size(), 11u);
  for (uint32_t i = 0; i < 11; ++i) {
    EXPECT_TRUE(store_->open_body(*store_->snapshot(key_)->message(i).body)->read_all(5000));
  }
}

// A new index.snap changes what mailboxes are made of; those who have one open get it, and need not say anything.
TEST_F(CopyRewrite, who_has_a_mailbox_open_holds_nothing_that_an_index_snap_has) {
  const storage::MailboxKey key = key_;
  run([key](Copy& copy) -> awaitable<void> {
    auto opened = co_await copy.open(key);
    EXPECT_TRUE(opened);
    const MailboxPtr box = *opened;
    std::weak_ptr<const storage::MailboxSnapshot> before = box->current();
    const std::string size = std::to_string(box->current()->size());
    auto written = co_await copy.checkpoint();
    EXPECT_TRUE(written);
    EXPECT_FALSE(copy.checkpoint_owed());
    EXPECT_TRUE(before.expired());
    EXPECT_EQ(std::to_string(box->current()->size()), size);
    EXPECT_EQ(box->current(), copy.store().snapshot(key));
    auto closed = co_await copy.close();
    EXPECT_TRUE(closed);
  });
}

TEST_F(CopyRewrite, leaves_an_index_snap_behind_for_who_dies_next) {
  run([](Copy& copy) -> awaitable<void> {
    auto done = co_await copy.rewrite(100);
    EXPECT_TRUE(done && *done == RewriteOutcome::gained);
    EXPECT_LE(copy.store().tail(), 1u);
    auto durable = co_await copy.durable(copy.store().appended());
    EXPECT_TRUE(durable);
  });  // not closed
  store_ = open();
  EXPECT_TRUE(store_->open_report().used_snapshot);
  EXPECT_LE(store_->open_report().frames, 1u);
  EXPECT_EQ(store_->snapshot(key_)->size(), 11u);
  for (uint32_t i = 0; i < 11; ++i) {
    EXPECT_TRUE(store_->open_body(*store_->snapshot(key_)->message(i).body)->read_all(5000));
  }
}

TEST_F(CopyRewrite, what_was_replaced_goes_when_its_time_has_come) {
  const std::filesystem::path log = root_ / "user" / "log", retired = root_ / "user" / "retired";
  auto files = [](const std::filesystem::path& where) {
    return std::distance(std::filesystem::directory_iterator(where), std::filesystem::directory_iterator());
  };
  run([&](Copy& copy) -> awaitable<void> {
    const int64_t now = env_.now();
    const storage::RetireOptions usual{1000, 2000}, moving{0, 2000}, purging{0, 0};
    EXPECT_FALSE(copy.leftover(now + 1'000'000));
    auto done = co_await copy.rewrite(100, usual);
    EXPECT_TRUE(done && *done == RewriteOutcome::gained);
    EXPECT_FALSE(copy.leftover(now + 900));
    EXPECT_TRUE(copy.leftover(now + 1100));
    const auto replaced = files(log);
    auto early = co_await copy.tidy(usual);
    EXPECT_TRUE(early);
    EXPECT_EQ(files(log), replaced);
    auto moved = co_await copy.tidy(moving);
    EXPECT_TRUE(moved);
    EXPECT_LT(files(log), replaced);
    EXPECT_EQ(files(log) + files(retired), replaced);
    EXPECT_FALSE(copy.leftover(now + 1900));
    EXPECT_TRUE(copy.leftover(now + 2100));
    auto gone = co_await copy.tidy(purging);
    EXPECT_TRUE(gone);
    EXPECT_EQ(files(retired), 0);
    EXPECT_FALSE(copy.leftover(INT64_MAX));
    auto closed = co_await copy.close();
    EXPECT_TRUE(closed);
  });
}

TEST_F(CopyRewrite, ends_when_the_copy_is_closed) {
  run([](Copy& copy) -> awaitable<void> {
    const asio::any_io_executor here = co_await asio::this_coro::executor;
    bool rewritten = true;
    Copy* c = &copy;
    auto pass = [c, &rewritten]() -> awaitable<void> {
      auto done = co_await c->rewrite(1);
      rewritten = done && *done == RewriteOutcome::gained;
    };
    asio::co_spawn(here, pass, [](std::exception_ptr e) {
      if (e) std::rethrow_exception(e);
    });
    co_await asio::post(here, asio::use_awaitable);  // it has begun
    auto closed = co_await copy.close();
    EXPECT_TRUE(closed);
    EXPECT_FALSE(rewritten);
  });
  EXPECT_EQ(first().generation, 0u);
  store_ = open();
  EXPECT_TRUE(store_->open_report().damage.empty());
  EXPECT_EQ(store_->snapshot(key_)->size(), 11u);
}

}  // namespace
}  // namespace gateway::source
