#include "gateway/source/header_cache.h"

#include <gtest/gtest.h>

namespace gateway::source {

namespace {

using wire::base::MailboxKey;
using wire::base::Uid;
using wire::base::UidValidity;

TEST(WholeHeader, EndsWithItsFirstEmptyLine) {
  EXPECT_TRUE(is_whole_header("Subject: a\r\n\r\n"));
  EXPECT_TRUE(is_whole_header("Subject: a\n\n"));
  EXPECT_TRUE(is_whole_header("\r\n"));
  EXPECT_TRUE(is_whole_header("A: b\r\n c\r\n\r\n"));
}

TEST(WholeHeader, IsNothingElse) {
  EXPECT_FALSE(is_whole_header(""));
  EXPECT_FALSE(is_whole_header("Subject: a\r\n"));
  EXPECT_FALSE(is_whole_header("Subject: a"));
  EXPECT_FALSE(is_whole_header("Subject: a\r\n\r\nB: c\r\n\r\n"));
  EXPECT_FALSE(is_whole_header("\r\n\r\n"));
}

HeaderBytes header(size_t size) { return std::make_shared<const std::string>(size, 'x'); }

TEST(HeaderCache, ForgetsTheLeastRecentlyUsedFirst) {
  HeaderCache cache(3000);
  for (uint32_t uid = 1; uid <= 3; ++uid) cache.put(MailboxKey(1), UidValidity(7), Uid(uid), header(700));
  ASSERT_TRUE(cache.find(MailboxKey(1), UidValidity(7), Uid(1)));
  cache.put(MailboxKey(1), UidValidity(7), Uid(4), header(700));
  EXPECT_TRUE(cache.find(MailboxKey(1), UidValidity(7), Uid(1)));
  EXPECT_FALSE(cache.find(MailboxKey(1), UidValidity(7), Uid(2)));
  EXPECT_TRUE(cache.find(MailboxKey(1), UidValidity(7), Uid(4)));
  EXPECT_LE(cache.bytes(), 3000u);
}

TEST(HeaderCache, AnotherUidValidityIsAnotherMessage) {
  HeaderCache cache(3000);
  cache.put(MailboxKey(1), UidValidity(7), Uid(1), header(10));
  EXPECT_FALSE(cache.find(MailboxKey(1), UidValidity(8), Uid(1)));
  EXPECT_FALSE(cache.find(MailboxKey(2), UidValidity(7), Uid(1)));
}

TEST(HeaderCache, WhatIsTooBigIsNotKept) {
  HeaderCache cache(3000);
  cache.put(MailboxKey(1), UidValidity(7), Uid(1), header(5000));
  EXPECT_EQ(cache.bytes(), 0u);
  cache.put(MailboxKey(1), UidValidity(7), Uid(2), header(10));
  cache.put(MailboxKey(1), UidValidity(7), Uid(2), header(20));
  EXPECT_EQ(cache.find(MailboxKey(1), UidValidity(7), Uid(2))->size(), 20u);
}

}  // namespace

}  // namespace gateway::source
