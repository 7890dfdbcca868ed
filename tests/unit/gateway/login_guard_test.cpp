#include "gateway/login_guard.h"

#include <gtest/gtest.h>

namespace gateway {
namespace {

LoginGuard::Limits small() {
  LoginGuard::Limits l;
  l.window = 100;
  l.user_and_address = 2;
  l.address = 4;
  l.user = 6;
  return l;
}

TEST(LoginGuard, stops_one_address_at_one_user_and_lets_others_in) {
  LoginGuard g(small());
  EXPECT_TRUE(g.admit("anna", "1", 0));
  EXPECT_TRUE(g.admit("anna", "1", 0));
  EXPECT_FALSE(g.admit("anna", "1", 99));
  EXPECT_TRUE(g.admit("anna", "2", 99));
  EXPECT_TRUE(g.admit("bert", "1", 99));
}

TEST(LoginGuard, stops_an_address_that_tries_many_users) {
  LoginGuard g(small());
  for (const char* user : {"a", "b", "c", "d"}) EXPECT_TRUE(g.admit(user, "1", 0));
  EXPECT_FALSE(g.admit("e", "1", 0));
  EXPECT_TRUE(g.admit("e", "2", 0));
}

TEST(LoginGuard, stops_many_addresses_at_one_user) {
  LoginGuard g(small());
  for (const char* address : {"1", "2", "3", "4", "5", "6"}) EXPECT_TRUE(g.admit("anna", address, 0));
  EXPECT_FALSE(g.admit("anna", "7", 0));
}

TEST(LoginGuard, forgets_after_the_window) {
  LoginGuard g(small());
  EXPECT_TRUE(g.admit("anna", "1", 0));
  EXPECT_TRUE(g.admit("anna", "1", 50));
  EXPECT_FALSE(g.admit("anna", "1", 99));
  EXPECT_TRUE(g.admit("anna", "1", 100));
}

TEST(LoginGuard, right_passwords_cost_nothing) {
  LoginGuard g(small());
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(g.admit("anna", "1", 0));
    g.forgive("anna", "1");
  }
  g.forgive("nobody", "9");
}

TEST(LoginGuard, memory_is_bounded) {
  LoginGuard::Limits l = small();
  l.entries = 10;
  LoginGuard g(l);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(g.admit("user" + std::to_string(i), std::to_string(i), 0));
  // The newest are still remembered.
  EXPECT_TRUE(g.admit("user999", "999", 1));
  EXPECT_FALSE(g.admit("user999", "999", 1));
}

}  // namespace
}  // namespace gateway
