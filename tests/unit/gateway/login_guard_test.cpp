#include "gateway/login_guard.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace gateway {
namespace {

using Answer = LoginGuard::Answer;
using Guard = std::shared_ptr<LoginGuard>;

LoginGuard::Limits small() {
  LoginGuard::Limits l;
  l.window = 100;
  l.user_and_network = 2;
  l.network = 4;
  l.user = 6;
  return l;
}

Guard make(const LoginGuard::Limits& limits = small()) { return std::make_shared<LoginGuard>(limits); }

// An attempt that ends as a wrong one, if it is let in.
Answer wrong(const Guard& guard, const std::string& user, const std::string& address, int64_t now) {
  LoginGuard::Attempt a(guard, user, address);
  return a.admit(now);
}

Answer right(const Guard& guard, const std::string& user, const std::string& address, int64_t now) {
  LoginGuard::Attempt a(guard, user, address);
  const Answer answer = a.admit(now);
  a.forgive();
  return answer;
}

TEST(LoginGuard, stops_one_address_at_one_user_and_lets_others_in) {
  const Guard g = make();
  EXPECT_EQ(wrong(g, "anna", "1", 0), Answer::admitted);
  EXPECT_EQ(wrong(g, "anna", "1", 0), Answer::admitted);
  EXPECT_EQ(wrong(g, "anna", "1", 99), Answer::refused);
  EXPECT_EQ(wrong(g, "anna", "2", 99), Answer::admitted);
  EXPECT_EQ(wrong(g, "bert", "1", 99), Answer::admitted);
}

TEST(LoginGuard, stops_an_address_that_tries_many_users) {
  const Guard g = make();
  for (const char* user : {"a", "b", "c", "d"}) EXPECT_EQ(wrong(g, user, "1", 0), Answer::admitted);
  EXPECT_EQ(wrong(g, "e", "1", 0), Answer::refused);
  EXPECT_EQ(wrong(g, "e", "2", 0), Answer::admitted);
}

TEST(LoginGuard, stops_many_addresses_at_one_user) {
  const Guard g = make();
  for (const char* address : {"1", "2", "3", "4", "5", "6"}) EXPECT_EQ(wrong(g, "anna", address, 0), Answer::admitted);
  EXPECT_EQ(wrong(g, "anna", "7", 0), Answer::refused);
}

TEST(LoginGuard, forgets_after_the_window) {
  const Guard g = make();
  EXPECT_EQ(wrong(g, "anna", "1", 0), Answer::admitted);
  EXPECT_EQ(wrong(g, "anna", "1", 50), Answer::admitted);
  EXPECT_EQ(wrong(g, "anna", "1", 99), Answer::refused);
  EXPECT_EQ(wrong(g, "anna", "1", 100), Answer::admitted);
}

TEST(LoginGuard, right_passwords_cost_nothing_and_leave_nothing) {
  const Guard g = make();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(right(g, "anna", "1", 0), Answer::admitted);
  EXPECT_EQ(g->entries(), 0u);
}

TEST(LoginGuard, refused_attempts_leave_nothing_and_evict_nothing) {
  LoginGuard::Limits l = small();
  l.entries = 40;
  const Guard g = make(l);
  EXPECT_EQ(wrong(g, "anna", "1", 0), Answer::admitted);
  EXPECT_EQ(wrong(g, "anna", "1", 0), Answer::admitted);
  for (const char* user : {"a", "b", "c", "d"}) EXPECT_EQ(wrong(g, user, "2", 0), Answer::admitted);
  const size_t before = g->entries();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(wrong(g, "random" + std::to_string(i), "2", 1), Answer::refused);
  EXPECT_EQ(g->entries(), before);
  EXPECT_EQ(wrong(g, "anna", "1", 1), Answer::refused);
}

TEST(LoginGuard, memory_is_bounded) {
  LoginGuard::Limits l = small();
  l.entries = 10;
  const Guard g = make(l);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(wrong(g, "user" + std::to_string(i), std::to_string(i), 0), Answer::admitted);
    ASSERT_LE(g->entries(), 10u);
  }
  // The newest are still remembered.
  EXPECT_EQ(wrong(g, "user999", "999", 1), Answer::admitted);
  EXPECT_EQ(wrong(g, "user999", "999", 1), Answer::refused);
}

TEST(LoginGuard, making_room_keeps_what_is_running_and_what_is_asked_for) {
  LoginGuard::Limits l = small();
  l.entries = 6;
  const Guard g = make(l);
  LoginGuard::Attempt running(g, "anna", "1");
  ASSERT_EQ(running.admit(0), Answer::admitted);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(wrong(g, "user" + std::to_string(i), std::to_string(100 + i), 0), Answer::admitted);
  }
  {
    LoginGuard::Attempt second(g, "bert", "2");
    ASSERT_EQ(second.admit(0), Answer::admitted);
    EXPECT_EQ(wrong(g, "carl", "3", 0), Answer::busy);  // no room that may be made
    EXPECT_EQ(g->entries(), 6u);
  }
  EXPECT_EQ(wrong(g, "carl", "1", 0), Answer::admitted);
  EXPECT_EQ(g->entries(), 6u);
}

TEST(LoginGuard, attempts_that_still_run_make_busy_and_right_ones_give_their_places_back) {
  const Guard g = make();
  std::vector<std::unique_ptr<LoginGuard::Attempt>> all;
  for (int i = 0; i < 40; ++i) all.push_back(std::make_unique<LoginGuard::Attempt>(g, "anna", "1"));
  size_t done = 0;
  while (done < all.size()) {
    EXPECT_EQ(all[done]->admit(0), Answer::admitted);
    EXPECT_EQ(all[done + 1]->admit(0), Answer::admitted);
    if (done + 2 < all.size()) {
      EXPECT_EQ(all[done + 2]->admit(0), Answer::busy);
    }
    all[done]->forgive();
    all[done + 1]->forgive();
    done += 2;
  }
  all.clear();
  EXPECT_EQ(g->entries(), 0u);
}

TEST(LoginGuard, guesses_made_at_once_do_not_slip_through) {
  const Guard g = make();
  LoginGuard::Attempt a(g, "anna", "1");
  EXPECT_EQ(a.admit(0), Answer::admitted);
  EXPECT_EQ(wrong(g, "anna", "1", 0), Answer::admitted);
  LoginGuard::Attempt waiting(g, "anna", "1");
  EXPECT_EQ(waiting.admit(0), Answer::busy);
  a.forgive();
  EXPECT_EQ(waiting.admit(0), Answer::admitted);
  LoginGuard::Attempt late(g, "anna", "1");
  EXPECT_EQ(late.admit(0), Answer::busy);
  waiting.forgive();
  EXPECT_EQ(wrong(g, "anna", "1", 0), Answer::admitted);
  EXPECT_EQ(late.admit(0), Answer::refused);
}

TEST(LoginGuard, an_attempt_that_is_cancelled_counts_as_wrong_and_runs_no_more) {
  const Guard g = make();
  for (int i = 0; i < 2; ++i) {
    try {
      LoginGuard::Attempt a(g, "anna", "1");
      EXPECT_EQ(a.admit(0), Answer::admitted);
      throw std::runtime_error("cancelled");
    } catch (const std::runtime_error&) {
    }
  }
  EXPECT_EQ(right(g, "anna", "1", 0), Answer::refused);
  EXPECT_EQ(right(g, "anna", "1", 100), Answer::admitted);
  EXPECT_EQ(g->entries(), 0u);
}

TEST(LoginGuard, attempts_outlive_the_window_and_the_owner) {
  Guard g = make();
  LoginGuard::Attempt a(g, "anna", "1");
  LoginGuard::Attempt b(g, "anna", "1");
  EXPECT_EQ(a.admit(0), Answer::admitted);
  EXPECT_EQ(b.admit(0), Answer::admitted);
  EXPECT_EQ(right(g, "anna", "1", 1000), Answer::busy);
  a.forgive();
  EXPECT_EQ(right(g, "anna", "1", 1000), Answer::admitted);
  g.reset();
}

TEST(LoginGuard, takes_an_ipv6_network_for_one_address) {
  struct Case {
    const char *first, *second;
    bool same;
  };
  const Case cases[] = {
      {"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
      {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
      {"fe80::1%eth0", "fe80::2%eth0", true},
      {"::ffff:192.0.2.1", "192.0.2.1", true},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
      {"192.0.2.1", "192.0.2.2", false},
  };
  for (const Case& c : cases) {
    const Guard g = make();
    EXPECT_EQ(wrong(g, "anna", c.first, 0), Answer::admitted);
    EXPECT_EQ(wrong(g, "anna", c.first, 0), Answer::admitted);
    EXPECT_EQ(wrong(g, "anna", c.second, 0), c.same ? Answer::refused : Answer::admitted) << c.first << " " << c.second;
  }
}

TEST(LoginGuard, many_threads_leave_no_place_taken) {
  const Guard g = make();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([g] {
      for (int i = 0; i < 1000; ++i) EXPECT_NE(right(g, "anna", "1", 0), Answer::refused);
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(g->entries(), 0u);
}

}  // namespace
}  // namespace gateway
