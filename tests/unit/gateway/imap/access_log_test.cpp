#include "gateway/imap/access_log.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace gateway::imap {
namespace {

AccessRecord record() {
  AccessRecord r;
  r.user = "alice";
  r.client = "192.0.2.7";
  r.command = "FETCH";
  r.mailbox = "In \"box\"\\\xff\n";
  r.result = "OK";
  r.count = 3;
  r.microseconds = 1234;
  r.bytes_in = 10;
  r.bytes_out = 20;
  return r;
}

TEST(AccessLogTest, writes_one_json_line_whatever_the_name) {
  EXPECT_EQ(to_json_line(record(), 1'700'000'000'007),
            "{\"time\":\"2023-11-14T22:13:20.007Z\",\"user\":\"alice\",\"client\":\"192.0.2.7\",\"command\":\"FETCH\","
            "\"mailbox\":\"In \\\"box\\\"\\\\\\u00ff\\u000a\",\"result\":\"OK\",\"count\":3,\"us\":1234,"
            "\"bytes_in\":10,\"bytes_out\":20}\n");
}

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(AccessLogTest, appends_and_follows_a_rotation) {
  std::string pattern = (std::filesystem::temp_directory_path() / "fairlead-log-XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  const std::filesystem::path file = std::filesystem::path(pattern) / "access.jsonl";
  auto log = AccessLogFile::open(file);
  ASSERT_TRUE(log);
  (*log)->write(record());
  std::filesystem::rename(file, file.string() + ".1");
  (*log)->write(record());
  ASSERT_TRUE((*log)->reopen());
  (*log)->write(record());
  const std::string old = read(file.string() + ".1");
  EXPECT_EQ(std::count(old.begin(), old.end(), '\n'), 2);
  const std::string fresh = read(file);
  EXPECT_EQ(std::count(fresh.begin(), fresh.end(), '\n'), 1);
  EXPECT_EQ((*log)->dropped(), 0u);
  std::filesystem::remove_all(pattern);
}

TEST(AccessLogTest, a_directory_that_is_not_there_is_a_failure) {
  const auto log = AccessLogFile::open("/nonexistent/access.jsonl");
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, wire::base::Errc::io);
}

}  // namespace
}  // namespace gateway::imap
