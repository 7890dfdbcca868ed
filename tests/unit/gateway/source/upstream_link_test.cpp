// Connections of accounts under one node-wide budget.

#include "gateway/source/upstream_link.h"

#include <gtest/gtest.h>

#include <deque>

#include "tests/support/run.h"
#include "tests/unit/imapc/scripted_connection.h"

namespace gateway::source {

namespace {

using tests::support::poll;
using tests::support::run;
using tests::support::ScriptedStream;
using wire::base::Errc;
using Use = UpstreamLink::Use;

class Links : public testing::Test {
 protected:
  Links() { wire::net::Wheel::of(context.get_executor()).use_manual_clock(); }
  ~Links() override {
    links.clear();
    poll(context);
  }
  // A user's connections; `most` of its own.
  UpstreamLink& link(size_t most = 3) {
    auto connect = [this] { return make(); };
    links.push_back(std::make_unique<UpstreamLink>(context.get_executor(), connect, most, budget));
    return *links.back();
  }
  awaitable<Result<std::unique_ptr<imapc::Connection>>> make() {
    ++made;
    auto stream = std::make_unique<ScriptedStream>(context.get_executor(), &records.emplace_back());
    imapc::script_login(*stream);
    imapc::Endpoint endpoint = imapc::plain_endpoint();
    imapc::Credentials credentials = imapc::user_credentials();
    imapc::Options options;
    co_return co_await imapc::Connection::open_on(std::move(stream), endpoint, credentials, options);
  }
  void limit(size_t connections, size_t migration) {
    UpstreamBudget::Limits limits;
    limits.connections = connections;
    limits.migration = migration;
    budget = std::make_shared<UpstreamBudget>(limits);
  }
  asio::io_context context;
  std::shared_ptr<UpstreamBudget> budget;
  std::deque<ScriptedStream::Record> records;
  std::vector<std::unique_ptr<UpstreamLink>> links;
  int made = 0;
};

TEST_F(Links, AnIdleConnectionOfAnotherUserMakesRoomForASession) {
  limit(1, 0);
  UpstreamLink &anna = link(), &bert = link();
  auto steps = [&]() -> awaitable<void> {
    {
      auto lease = co_await anna.any();
      EXPECT_TRUE(lease);
    }
    EXPECT_EQ(budget->in_use(), 1u) << "it is kept while nobody needs it";
    auto lease = co_await bert.any();
    EXPECT_TRUE(lease);
    EXPECT_EQ(budget->in_use(), 1u);
  };
  run(context, steps());
  EXPECT_EQ(made, 2);
}

TEST_F(Links, WithoutAPlaceAnOwnConnectionIsBetterThanNone) {
  limit(1, 0);
  UpstreamLink& anna = link();
  auto steps = [&]() -> awaitable<void> {
    {
      auto lease = co_await anna.prefer("INBOX", false);
      EXPECT_TRUE(lease);
      if (lease) lease->line().selected = "INBOX";
    }
    auto lease = co_await anna.prefer("Sent", false);
    EXPECT_TRUE(lease);
  };
  run(context, steps());
  EXPECT_EQ(made, 1);
}

TEST_F(Links, AnIdleNeverTakesTheLastPlace) {
  limit(1, 0);
  UpstreamLink& anna = link();
  auto steps = [&]() -> awaitable<void> {
    {
      auto lease = co_await anna.any();
      EXPECT_TRUE(lease);
    }
    auto spare = co_await anna.spare();
    EXPECT_FALSE(spare);
    EXPECT_TRUE(!spare && spare.error().code == Errc::limit);
  };
  run(context, steps());
}

TEST_F(Links, ASessionThatGetsNoneHearsSoAfterAWhile) {
  limit(1, 0);
  UpstreamLink &anna = link(), &bert = link();
  auto held = [&]() -> awaitable<void> {
    auto lease = co_await anna.any();
    EXPECT_TRUE(lease);
    wire::net::TaskGroup clock(context.get_executor(), nullptr);
    auto tick = [this]() -> awaitable<void> {
      co_await asio::post(asio::use_awaitable);
      wire::net::Wheel::of(context.get_executor()).advance(wire::net::Timeout(31'000));
    };
    awaitable<void> ticking = tick();
    clock.spawn("clock", std::move(ticking));
    auto none = co_await bert.any();
    EXPECT_FALSE(none);
    EXPECT_TRUE(!none && none.error().code == Errc::unavailable);
    co_await clock.join();
  };
  run(context, held());
}

TEST_F(Links, MigrationTakesNoMoreThanItsShareOfOneUserOrMany) {
  limit(0, 1);
  UpstreamLink &anna = link(1), &bert = link(1);
  bool bert_has = false;
  auto second = [&]() -> awaitable<void> {
    auto lease = co_await bert.any(Use::migration);
    bert_has = lease.operator bool();
  };
  wire::net::TaskGroup tasks(context.get_executor(), nullptr);
  auto steps = [&]() -> awaitable<void> {
    {
      auto lease = co_await anna.any(Use::migration);
      EXPECT_TRUE(lease);
      awaitable<void> other = second();
      tasks.spawn("bert", std::move(other));
      co_await asio::post(asio::use_awaitable);
      co_await asio::post(asio::use_awaitable);
      EXPECT_FALSE(bert_has);
      // Migration that waits keeps none of the user's own connections from a session.
      auto session = co_await bert.any();
      EXPECT_TRUE(session);
    }
    // What anna's session uses now is no migration any more.
    auto session = co_await anna.any();
    EXPECT_TRUE(session);
    co_await tasks.join();
  };
  run(context, steps());
  EXPECT_TRUE(bert_has);
}

}  // namespace

}  // namespace gateway::source
