// Who gets the next connection to an upstream: sessions before migration, whatever core they are on.

#include "gateway/source/upstream_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "tests/support/run.h"
#include "wire/net/tasks.h"

namespace gateway::source {

namespace {

using Use = UpstreamBudget::Use;
using Place = UpstreamBudget::Place;
using tests::support::poll;
using wire::base::Errc;
using wire::net::no_timeout;

std::shared_ptr<UpstreamBudget> budget_of(size_t connections, size_t migration) {
  UpstreamBudget::Limits limits;
  limits.connections = connections;
  limits.migration = migration;
  return std::make_shared<UpstreamBudget>(limits);
}

// Somebody who asks, and keeps the place until told otherwise.
struct Asker {
  Place place;
  bool has = false;
  std::optional<Errc> failed;
};

awaitable<void> ask(std::shared_ptr<UpstreamBudget> budget, Use use, wire::net::Timeout patience, Asker& out) {
  auto got = co_await budget->take(use, patience);
  if (!got) {
    out.failed = got.error().code;
    co_return;
  }
  out.place = std::move(*got);
  out.has = true;
}

class Budget : public testing::Test {
 protected:
  Budget() {
    for (asio::io_context* c : {&one, &two}) wire::net::Wheel::of(c->get_executor()).use_manual_clock();
  }
  Asker& start(asio::io_context& core, std::shared_ptr<UpstreamBudget> budget, Use use,
               wire::net::Timeout patience = no_timeout) {
    askers.emplace_back();
    tasks(core).spawn("ask", ask(std::move(budget), use, patience, askers.back()));
    settle();
    return askers.back();
  }
  void settle() {
    for (int i = 0; i < 3; ++i) {
      poll(one);
      poll(two);
    }
  }
  wire::net::TaskGroup& tasks(asio::io_context& core) { return &core == &one ? of_one : of_two; }
  std::deque<Asker> askers;  // outlive the cores: what waits on them dies with those
  asio::io_context one, two;
  wire::net::TaskGroup of_one{one.get_executor(), nullptr}, of_two{two.get_executor(), nullptr};
};

TEST_F(Budget, WithoutLimitsNobodyWaits) {
  auto budget = budget_of(0, 0);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(start(one, budget, i % 2 == 0 ? Use::session : Use::migration).has);
  EXPECT_EQ(budget->in_use(), 50u);
}

TEST_F(Budget, MigrationHasItsOwnShareAndWaitsItsTurnInOrder) {
  auto budget = budget_of(0, 1);
  Asker& first = start(one, budget, Use::migration);
  Asker& second = start(two, budget, Use::migration);
  Asker& third = start(one, budget, Use::migration);
  EXPECT_TRUE(start(one, budget, Use::session).has) << "the share of migration is not that of sessions";
  EXPECT_TRUE(first.has);
  EXPECT_FALSE(second.has);
  first.place = Place();
  settle();
  EXPECT_TRUE(second.has);
  EXPECT_FALSE(third.has);
  second.place = Place();
  settle();
  EXPECT_TRUE(third.has);
}

TEST_F(Budget, ASessionThatComesLaterGoesBeforeMigrationThatWaits) {
  auto budget = budget_of(1, 0);
  Asker& holder = start(one, budget, Use::migration);
  Asker& migration = start(one, budget, Use::migration);
  Asker& session = start(two, budget, Use::session);
  holder.place = Place();
  settle();
  EXPECT_TRUE(session.has);
  EXPECT_FALSE(migration.has);
  session.place = Place();
  settle();
  EXPECT_TRUE(migration.has);
}

TEST_F(Budget, AWaitThatIsOverReportsAndLeavesTheQueue) {
  auto budget = budget_of(1, 0);
  Asker& holder = start(one, budget, Use::session);
  Asker& impatient = start(two, budget, Use::session, wire::net::Timeout(1000));
  EXPECT_TRUE(budget->sessions_wait());
  wire::net::Wheel::of(two.get_executor()).advance(wire::net::Timeout(1500));
  settle();
  ASSERT_TRUE(impatient.failed);
  EXPECT_EQ(*impatient.failed, Errc::unavailable);
  EXPECT_FALSE(budget->sessions_wait());
  holder.place = Place();
  EXPECT_EQ(budget->in_use(), 0u);
  EXPECT_TRUE(start(one, budget, Use::session).has);
}

TEST_F(Budget, WhoIsCancelledWhileWaitingTakesNothingAlong) {
  auto budget = budget_of(1, 0);
  Asker& holder = start(one, budget, Use::session);
  Asker& cancelled = start(two, budget, Use::session);
  EXPECT_TRUE(budget->sessions_wait());
  // Granted and cancelled before it could run.
  holder.place = Place();
  of_two.cancel_all();
  settle();
  if (cancelled.has) cancelled.place = Place();
  EXPECT_EQ(budget->in_use(), 0u);
  EXPECT_FALSE(budget->sessions_wait());
}

TEST_F(Budget, AConnectionChangesItsUseWithinTheShareOfMigration) {
  auto budget = budget_of(3, 1);
  Asker& a = start(one, budget, Use::session);
  Asker& b = start(one, budget, Use::session);
  EXPECT_TRUE(a.place.change_use(Use::migration));
  EXPECT_FALSE(b.place.change_use(Use::migration));
  EXPECT_EQ(b.place.use(), Use::session);
  Asker& waits = start(two, budget, Use::migration);
  EXPECT_FALSE(waits.has);
  EXPECT_TRUE(a.place.change_use(Use::session));
  settle();
  EXPECT_TRUE(waits.has) << "the share that became free goes to who waits";
}

TEST_F(Budget, WhoKeepsIdleConnectionsIsToldOnItsOwnCore) {
  auto budget = budget_of(1, 0);
  Asker& resting = start(one, budget, Use::session);
  int told = 0;
  auto keeper = budget->keeps_idle(one.get_executor(), [&](Use) {
    ++told;
    if (budget->sessions_wait()) resting.place = Place();
  });
  keeper->resting = 1;
  Asker& session = start(two, budget, Use::session);
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(session.has);
  keeper->resting = 0;
  start(two, budget, Use::session);
  EXPECT_EQ(told, 1) << "it has nothing left to end";
}

TEST_F(Budget, MigrationAsksAgainForWhatRests) {
  auto budget = budget_of(1, 0);
  Asker& resting = start(one, budget, Use::session);
  int told = 0;
  auto keeper = budget->keeps_idle(one.get_executor(), [&](Use for_whom) {
    EXPECT_EQ(for_whom, Use::migration);
    // The first time it has not rested long enough.
    if (++told == 2) resting.place = Place();
  });
  keeper->resting = 1;
  Asker& migration = start(two, budget, Use::migration);
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(migration.has);
  wire::net::Wheel::of(two.get_executor()).advance(wire::net::Timeout(2500));
  settle();
  EXPECT_EQ(told, 2);
  EXPECT_TRUE(migration.has);
}

awaitable<void> come_and_go(std::shared_ptr<UpstreamBudget> budget, Use use, std::atomic<int>& inside,
                            std::atomic<int>& most, std::atomic<int>& done) {
  for (int i = 0; i < 200; ++i) {
    auto place = co_await budget->take(use, no_timeout);
    const int now = ++inside;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    co_await asio::post(asio::use_awaitable);
    --inside;
  }
  ++done;
}

TEST(BudgetOnThreads, NeverMoreThanItsPlacesAndEverybodyComesThrough) {
  auto budget = budget_of(3, 2);
  std::atomic<int> inside{0}, most{0}, done{0};
  {
    std::vector<std::unique_ptr<asio::io_context>> cores;
    std::vector<std::unique_ptr<wire::net::TaskGroup>> tasks;
    for (int i = 0; i < 3; ++i) {
      cores.push_back(std::make_unique<asio::io_context>(1));
      tasks.push_back(std::make_unique<wire::net::TaskGroup>(cores.back()->get_executor(), nullptr));
      for (int k = 0; k < 4; ++k) {
        const Use use = k % 2 == 0 ? Use::session : Use::migration;
        tasks.back()->spawn("come and go", come_and_go(budget, use, inside, most, done));
      }
    }
    std::vector<asio::executor_work_guard<asio::io_context::executor_type>> alive;
    for (auto& core : cores) alive.push_back(asio::make_work_guard(*core));
    std::vector<std::thread> threads;
    for (auto& core : cores) threads.emplace_back([c = core.get()] { c->run(); });
    const auto until = std::chrono::steady_clock::now() + tests::support::patience;
    while (done < 12 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    for (auto& core : cores) core->stop();
    for (auto& t : threads) t.join();
  }
  EXPECT_EQ(done, 12);
  EXPECT_LE(most, 3);
  EXPECT_EQ(budget->in_use(), 0u);
}

}  // namespace

}  // namespace gateway::source
