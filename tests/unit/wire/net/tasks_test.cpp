#include "wire/net/tasks.h"

#include <gtest/gtest.h>

#include "tests/support/run.h"
#include "wire/net/deadline.h"
#include "wire/net/pool.h"

namespace wire::net {
namespace {

using tests::support::poll;
using tests::support::run;

awaitable<void> add_after(Timeout time, int& counter) {
  co_await sleep_for(time);
  ++counter;
}

awaitable<void> throws(const char* what) {
  co_await asio::post(asio::use_awaitable);
  throw std::runtime_error(what);
}

awaitable<Result<int>> answer_after(Timeout time, int value) {
  co_await sleep_for(time);
  co_return value;
}

awaitable<Result<int>> sleeps_for_ever(bool& ended) {
  struct Mark {
    bool& flag;
    ~Mark() { flag = true; }
  };
  const Mark mark{ended};
  co_await sleep_for(no_timeout);
  co_return 1;
}

awaitable<Result<int>> fails_at_once() { co_return Failure(Errc::not_found, "no"); }

class TasksTest : public testing::Test {
 protected:
  TasksTest() : wheel(Wheel::of(context.get_executor())) { wheel.use_manual_clock(); }
  asio::io_context context;
  Wheel& wheel;
  std::vector<std::string> errors;
  TaskGroup group{context.get_executor(), [this](const std::string& task, std::exception_ptr error) {
                    errors.push_back(task + ": " + describe(error));
                  }};
};

TEST_F(TasksTest, join_waits_for_every_task) {
  int done = 0;
  group.spawn("a", add_after(Timeout(1000), done));
  group.spawn("b", add_after(Timeout(2000), done));
  bool joined = false;
  auto joiner = [&]() -> awaitable<void> {
    co_await group.join();
    joined = true;
  };
  asio::co_spawn(context, joiner(), [](std::exception_ptr e) { EXPECT_FALSE(e); });
  poll(context);
  wheel.advance(Timeout(1100));
  poll(context);
  EXPECT_EQ(done, 1);
  EXPECT_FALSE(joined);
  wheel.advance(Timeout(1100));
  poll(context);
  EXPECT_EQ(done, 2);
  EXPECT_TRUE(joined);
}

TEST_F(TasksTest, an_exception_is_reported_with_the_tasks_name) {
  group.spawn("worker", throws("boom"));
  run(context, group.join());
  EXPECT_EQ(errors, std::vector<std::string>{"worker: boom"});
}

TEST_F(TasksTest, cancelled_tasks_end_without_a_report) {
  int done = 0;
  group.spawn("a", add_after(no_timeout, done));
  poll(context);
  group.cancel_all();
  run(context, group.join());
  EXPECT_EQ(done, 0);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(group.running(), 0u);
}

TEST_F(TasksTest, a_group_that_dies_cancels_its_tasks) {
  bool ended = false;
  auto task = [](bool& flag) -> awaitable<void> { co_await sleeps_for_ever(flag); };
  {
    TaskGroup inner(context.get_executor(), nullptr);
    inner.spawn("a", task(ended));
    poll(context);
    EXPECT_FALSE(ended);
  }
  poll(context);
  EXPECT_TRUE(ended);
}

TEST_F(TasksTest, deadline_lets_a_result_through) {
  Result<int> in_time = Failure(Errc::internal, "never ran");
  auto task = [&]() -> awaitable<void> {
    in_time = co_await with_deadline(Timeout(1000), answer_after(Timeout(400), 7));
  };
  group.spawn("t", task());
  poll(context);
  wheel.advance(Timeout(500));
  run(context, group.join());
  EXPECT_EQ(in_time.value(), 7);
  auto r = run(context, with_deadline(Timeout(1000), fails_at_once()));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::not_found);
}

TEST_F(TasksTest, deadline_cancels_what_takes_too_long_and_awaits_its_end) {
  bool ended = false;
  std::optional<Result<int>> result;
  auto task = [&]() -> awaitable<void> {
    Result<int> r = co_await with_deadline(Timeout(1000), sleeps_for_ever(ended));
    EXPECT_TRUE(ended);
    result.emplace(std::move(r));
  };
  group.spawn("t", task());
  poll(context);
  EXPECT_FALSE(result);
  wheel.advance(Timeout(1100));
  poll(context);
  ASSERT_TRUE(result);
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code, Errc::timeout);
}

TEST_F(TasksTest, deadline_hands_on_the_cancellation_of_its_task) {
  bool ended = false;
  bool got_result = false;
  auto task = [&]() -> awaitable<void> {
    co_await with_deadline(Timeout(1000), sleeps_for_ever(ended));
    got_result = true;
  };
  group.spawn("t", task());
  poll(context);
  group.cancel_all();
  run(context, group.join());
  EXPECT_TRUE(ended);
  EXPECT_FALSE(got_result);
  EXPECT_TRUE(errors.empty());
}

TEST_F(TasksTest, deadline_passes_exceptions_on) {
  auto task = []() -> awaitable<Result<int>> {
    co_await throws("inner");
    co_return 1;
  };
  EXPECT_THROW(run(context, with_deadline(Timeout(1000), task())), std::runtime_error);
}

TEST(Pool, runs_elsewhere_and_comes_back) {
  asio::io_context context;
  asio::thread_pool pool(2);
  std::thread::id there;
  auto work = [&there] {
    there = std::this_thread::get_id();
    return std::make_unique<int>(7);
  };
  auto task = [&]() -> awaitable<int> {
    std::unique_ptr<int> r = co_await run_on_pool(pool, work);
    co_return *r;
  };
  const std::thread::id here = std::this_thread::get_id();
  EXPECT_EQ(run(context, task()), 7);
  EXPECT_TRUE(there != here);
  pool.join();
}

TEST(Pool, exceptions_come_out_of_the_await) {
  asio::io_context context;
  asio::thread_pool pool(1);
  auto work = [] { throw std::runtime_error("disk"); };
  EXPECT_THROW(run(context, run_on_pool(pool, work)), std::runtime_error);
  pool.join();
}

}  // namespace
}  // namespace wire::net
