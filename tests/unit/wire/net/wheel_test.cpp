#include "wire/net/wheel.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/run.h"

namespace wire::net {
namespace {

using tests::support::run;

class Recorder : public WheelEntry {
 public:
  explicit Recorder(Wheel& wheel) : WheelEntry(wheel) {}
  int fired = 0;
  std::function<void()> then;

 private:
  void expired() override {
    ++fired;
    if (then) then();
  }
};

class WheelTest : public testing::Test {
 protected:
  WheelTest() : wheel(Wheel::of(context.get_executor())) { wheel.use_manual_clock(); }
  asio::io_context context;
  Wheel& wheel;
};

TEST_F(WheelTest, fires_once_and_never_early) {
  Recorder entry(wheel);
  entry.set(Timeout(250));
  wheel.advance(Timeout(249));
  EXPECT_EQ(entry.fired, 0);
  wheel.advance(Timeout(151));
  EXPECT_EQ(entry.fired, 1);
  wheel.advance(Timeout(100'000));
  EXPECT_EQ(entry.fired, 1);
}

TEST_F(WheelTest, a_later_deadline_replaces_the_earlier_and_the_reverse) {
  Recorder later(wheel), earlier(wheel);
  later.set(Timeout(1000));
  later.set(Timeout(5000));
  earlier.set(Timeout(5000));
  earlier.set(Timeout(1000));
  wheel.advance(Timeout(1200));
  EXPECT_EQ(later.fired, 0);
  EXPECT_EQ(earlier.fired, 1);
  wheel.advance(Timeout(4000));
  EXPECT_EQ(later.fired, 1);
  EXPECT_EQ(earlier.fired, 1);
}

TEST_F(WheelTest, a_cleared_deadline_does_not_fire) {
  Recorder entry(wheel);
  entry.set(Timeout(1000));
  entry.clear();
  wheel.advance(Timeout(2000));
  EXPECT_EQ(entry.fired, 0);
  entry.set(no_timeout);
  wheel.advance(Timeout(1'000'000));
  EXPECT_EQ(entry.fired, 0);
}

TEST_F(WheelTest, deadlines_of_many_rounds_fire_in_their_own_round) {
  std::vector<std::unique_ptr<Recorder>> entries;
  for (int i = 1; i <= 3000; ++i) {
    entries.push_back(std::make_unique<Recorder>(wheel));
    entries.back()->set(Timeout(i * 100));
  }
  for (int i = 1; i <= 3000; ++i) {
    wheel.advance(Timeout(100));
    ASSERT_EQ(entries[static_cast<size_t>(i - 1)]->fired, 1) << i;
    if (i < 3000) {
      ASSERT_EQ(entries[static_cast<size_t>(i)]->fired, 0) << i;
    }
  }
}

TEST_F(WheelTest, a_long_jump_fires_everything_that_fell_due) {
  Recorder a(wheel), b(wheel), c(wheel);
  a.set(Timeout(100));
  b.set(Timeout(60'000));
  c.set(Timeout(600'000));
  wheel.advance(Timeout(300'000));
  EXPECT_EQ(a.fired + b.fired, 2);
  EXPECT_EQ(c.fired, 0);
  wheel.advance(Timeout(300'100));
  EXPECT_EQ(c.fired, 1);
}

TEST_F(WheelTest, expiry_may_set_itself_again_and_destroy_others) {
  auto other = std::make_unique<Recorder>(wheel);
  Recorder entry(wheel);
  entry.then = [&] {
    other.reset();
    if (entry.fired < 3) entry.set(Timeout(100));
  };
  entry.set(Timeout(100));
  other->set(Timeout(100));
  for (int i = 0; i < 10; ++i) wheel.advance(Timeout(100));
  EXPECT_EQ(entry.fired, 3);
}

TEST(Wheel, an_empty_wheel_lets_the_context_end) {
  asio::io_context context;
  Wheel& wheel = Wheel::of(context.get_executor());
  {
    Recorder entry(wheel);
    entry.set(Timeout(3'600'000));
  }
  const auto before = std::chrono::steady_clock::now();
  context.run();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::minutes(1));
}

TEST(Wheel, real_time_passes) {
  asio::io_context context;
  Recorder entry(Wheel::of(context.get_executor()));
  entry.set(Timeout(1));
  context.run();
  EXPECT_EQ(entry.fired, 1);
}

TEST_F(WheelTest, event_wakes_its_waiters_and_times_out) {
  Event event(context.get_executor());
  bool flag = false;
  int woken = 0, late = 0;
  auto waiter = [&](Timeout timeout) -> awaitable<void> {
    auto set = [&] { return flag; };
    const bool in_time = co_await event.wait_for(set, timeout);
    in_time ? ++woken : ++late;
  };
  auto failed = [](std::exception_ptr e) { EXPECT_FALSE(e); };
  asio::co_spawn(context, waiter(no_timeout), failed);
  asio::co_spawn(context, waiter(Timeout(500)), failed);
  asio::co_spawn(context, waiter(Timeout(5000)), failed);
  tests::support::poll(context);
  event.notify_all();  // spurious: nothing has changed
  tests::support::poll(context);
  EXPECT_EQ(woken + late, 0);
  wheel.advance(Timeout(700));
  tests::support::poll(context);
  EXPECT_EQ(late, 1);
  EXPECT_EQ(woken, 0);
  flag = true;
  event.notify_all();
  tests::support::poll(context);
  EXPECT_EQ(late, 1);
  EXPECT_EQ(woken, 2);
}

}  // namespace
}  // namespace wire::net
