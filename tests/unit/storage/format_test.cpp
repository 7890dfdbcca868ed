// The format on paper is the format on disk: docs/storage-format.md holds a store byte by byte, fixtures/stores/ one of
// every format version that was ever released.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "storage/account.h"
#include "storage/check.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

// Random bytes are a0 a1 a2 ... at every call.
class FixedEnv final : public Env {
 public:
  Result<std::unique_ptr<File>> open(const std::filesystem::path& p, Mode m) override { return disk.open(p, m); }
  Result<std::vector<std::string>> list(const std::filesystem::path& d) override { return disk.list(d); }
  Result<void> make_directory(const std::filesystem::path& p) override { return disk.make_directory(p); }
  Result<void> rename(const std::filesystem::path& a, const std::filesystem::path& b) override {
    return disk.rename(a, b);
  }
  Result<void> remove(const std::filesystem::path& p) override { return disk.remove(p); }
  Result<void> sync_directory(const std::filesystem::path& p) override { return disk.sync_directory(p); }
  int64_t now() override { return disk.now(); }
  void random(std::span<uint8_t> out) override {
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(0xa0 + i);
  }
  FaultEnv disk;
};

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string dump(const std::vector<uint8_t>& bytes) {
  std::string out;
  char buffer[32];
  for (size_t at = 0; at < bytes.size(); at += 16) {
    std::snprintf(buffer, sizeof buffer, "%04zx ", at);
    out += buffer;
    for (size_t i = at; i < std::min(at + 16, bytes.size()); ++i) {
      std::snprintf(buffer, sizeof buffer, " %02x", bytes[i]);
      out += buffer;
    }
    out += '\n';
  }
  return out;
}

// The lines of the form "0010  aa bb ..." between the two headings.
std::string example(const std::string& page) {
  std::istringstream in(page.substr(page.find("## Worked example")));
  std::string out, line;
  while (std::getline(in, line)) {
    if (line.size() < 8 || line.find_first_not_of("0123456789abcdef") != 4 || line.substr(4, 2) != "  ") continue;
    out += line.substr(0, line.find("   ", 6));  // a note may follow
    out += '\n';
  }
  return out;
}

TEST(Format, worked_example_of_the_page_is_what_is_written) {
  FixedEnv env;
  std::unique_ptr<Account> a = *Account::open(env, "/disk/user", {.create = true, .epoch = Epoch(3)});
  MailboxKey key = *create_mailbox(*a, "INBOX");
  ASSERT_TRUE(a->sync());
  Result<PreparedBody> body = prepare(*a, "Subject: hi\r\n\r\nhello\r\n");
  Batch b = a->begin();
  NewMessage m;
  m.flags.system = wire::base::seen;
  m.flags.add("$Work");
  m.info.date = {1700000000, 60};
  m.info.size = body->size();
  m.info.body = *b.add_body(std::move(*body));
  ASSERT_TRUE(b.add_message(key, m));
  ASSERT_TRUE(a->commit(std::move(b)));
  std::string written = dump(env.disk.bytes("/disk/user/log/0000000000000001-open-0000.log"));
  std::filesystem::path page = std::filesystem::path(FAIRLEAD_FIXTURES).parent_path() / "docs" / "storage-format.md";
  EXPECT_EQ(example(text_of(page)), written);
}

TEST(Format, store_of_version_1_is_read_as_it_was_written) {
  std::filesystem::path fixture = std::filesystem::path(FAIRLEAD_FIXTURES) / "stores" / "1";
  std::string expected = text_of(fixture / "expected.txt");
  for (bool with_snapshot : {true, false}) {
    // A copy: opening a store may write to it.
    std::filesystem::path copy = std::filesystem::path(testing::TempDir()) / "storage_format_1";
    std::filesystem::remove_all(copy);
    std::filesystem::copy(fixture, copy, std::filesystem::copy_options::recursive);
    if (!with_snapshot) std::filesystem::remove(copy / "index.snap");
    PosixEnv env;
    Result<std::unique_ptr<Account>> a = Account::open(env, copy, {.epoch = Epoch(7)});
    ASSERT_TRUE(a) << a.error().describe();
    EXPECT_EQ((*a)->open_report().used_snapshot, with_snapshot);
    EXPECT_TRUE((*a)->open_report().damage.empty());
    EXPECT_EQ(describe(**a), expected);
    Result<CheckReport> report = check_store(env, copy);
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->clean());
    a->reset();
    std::filesystem::remove_all(copy);
  }
}

}  // namespace
}  // namespace storage
