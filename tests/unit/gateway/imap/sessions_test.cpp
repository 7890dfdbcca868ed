#include "gateway/imap/sessions.h"

#include <gtest/gtest.h>

namespace gateway::imap {
namespace {

using wire::base::Errc;

TEST(SessionsTest, counts_per_address_and_gives_places_back) {
  Sessions sessions(0, 2);
  auto a = sessions.enter("imap", "192.0.2.1", false);
  auto b = sessions.enter("imap", "192.0.2.1", false);
  ASSERT_TRUE(a && b);
  auto c = sessions.enter("imap", "192.0.2.1", false);
  ASSERT_FALSE(c);
  EXPECT_EQ(c.error().code, Errc::limit);
  EXPECT_TRUE(sessions.enter("imap", "192.0.2.2", false));
  a->reset();
  EXPECT_TRUE(sessions.enter("imap", "192.0.2.1", false));
}

TEST(SessionsTest, counts_per_user) {
  Sessions sessions(1, 0);
  auto a = sessions.enter("imap", "192.0.2.1", false);
  auto b = sessions.enter("imap", "192.0.2.1", false);
  ASSERT_TRUE((*a)->set_user("alice"));
  const auto refused = (*b)->set_user("alice");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::limit);
  EXPECT_TRUE((*b)->set_user("bob"));
  a->reset();
  auto c = sessions.enter("imap", "192.0.2.1", false);
  EXPECT_TRUE((*c)->set_user("alice"));
}

TEST(SessionsTest, kicks_by_user_and_by_id) {
  Sessions sessions(0, 0);
  auto a = sessions.enter("imap", "192.0.2.1", false);
  auto b = sessions.enter("imap", "192.0.2.1", true);
  std::string left;
  (*a)->on_leave([&left](const std::string& why) { left += "a:" + why + ";"; });
  (*b)->on_leave([&left](const std::string& why) { left += "b:" + why + ";"; });
  ASSERT_TRUE((*a)->set_user("alice"));
  EXPECT_EQ(sessions.kick_user("alice", "x"), 1u);
  EXPECT_EQ(sessions.kick_user("nobody", "x"), 0u);
  EXPECT_TRUE(sessions.kick((*b)->id(), "y"));
  EXPECT_FALSE(sessions.kick(999, "y"));
  EXPECT_EQ(left, "a:x;b:y;");
}

TEST(SessionsTest, after_close_nobody_enters_and_everybody_leaves) {
  Sessions sessions(0, 0);
  auto a = sessions.enter("imap", "192.0.2.1", false);
  int left = 0;
  (*a)->on_leave([&left](const std::string&) { ++left; });
  sessions.close("restart");
  EXPECT_EQ(left, 1);
  auto b = sessions.enter("imap", "192.0.2.1", false);
  ASSERT_FALSE(b);
  EXPECT_EQ(b.error().code, Errc::unavailable);
  // Who registers late hears of it too.
  (*a)->on_leave([&left](const std::string&) { left += 10; });
  EXPECT_EQ(left, 11);
}

TEST(SessionsTest, lists_what_who_shows) {
  Sessions sessions(0, 0);
  auto a = sessions.enter("imap", "192.0.2.1", false);
  ASSERT_TRUE((*a)->set_user("alice"));
  (*a)->set_mailbox("INBOX");
  (*a)->set_command("IDLE");
  (*a)->set_tls();
  const auto list = sessions.list();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].user, "alice");
  EXPECT_EQ(list[0].mailbox, "INBOX");
  EXPECT_EQ(list[0].command, "IDLE");
  EXPECT_TRUE(list[0].tls);
}

}  // namespace
}  // namespace gateway::imap
