// The format on paper is the format on disk: docs/storage-format.md holds a store byte by byte, fixtures/stores/ one of
// every format version that was ever released.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "storage/account.h"
#include "storage/body_codec.h"
#include "storage/check.h"
#include "storage/space.h"
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
std::string example(const std::string& page, const std::string& heading) {
  size_t from = page.find(heading + "\n");
  if (from == page.npos) return "no such heading";
  std::istringstream in(page.substr(from, page.find("\n## ", from) - from));
  std::string out, line;
  while (std::getline(in, line)) {
    if (line.size() < 8 || line.find_first_not_of("0123456789abcdef") != 4 || line.substr(4, 2) != "  ") continue;
    out += line.substr(0, line.find("   ", 6));  // a note may follow
    out += '\n';
  }
  return out;
}

void write_example(uint32_t format, const std::string& heading) {
  FixedEnv env;
  std::unique_ptr<Account> a = *Account::open(env, "/disk/user", {.create = true, .epoch = Epoch(3), .format = format});
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
  EXPECT_EQ(example(text_of(page), heading), written);
}

TEST(Format, worked_examples_of_the_page_are_what_is_written) {
  write_example(1, "## Worked example, format 1");
  write_example(2, "## Worked example, format 2");
}

class StoreOfVersion : public testing::TestWithParam<uint32_t> {};

TEST_P(StoreOfVersion, is_read_as_it_was_written) {
  const uint32_t version = GetParam();
  std::filesystem::path fixture = std::filesystem::path(FAIRLEAD_FIXTURES) / "stores" / std::to_string(version);
  std::string expected = text_of(fixture / "expected.txt");
  for (bool with_snapshot : {true, false}) {
    // A copy: opening a store may write to it.
    std::filesystem::path copy =
        std::filesystem::path(testing::TempDir()) / ("storage_format_" + std::to_string(version));
    std::filesystem::remove_all(copy);
    std::filesystem::copy(fixture, copy, std::filesystem::copy_options::recursive);
    if (!with_snapshot) std::filesystem::remove(copy / "index.snap");
    PosixEnv env;
    Result<std::unique_ptr<Account>> a = Account::open(env, copy, {.epoch = Epoch(7), .format = version});
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

INSTANTIATE_TEST_SUITE_P(Format, StoreOfVersion, testing::Values(1, 2));

// Every kind of frame, and segments as a rewrite leaves them. fixtures/stores/2 was made by it, in the directory that
// FAIRLEAD_MAKE_STORE names; it is never made again: what was released is what has to be read.
TEST(Format, store_with_everything_in_it_is_written_and_read) {
  const char* kept = std::getenv("FAIRLEAD_MAKE_STORE");
  const std::filesystem::path where =
      kept != nullptr ? std::filesystem::path(kept) : std::filesystem::path(testing::TempDir()) / "storage_format_new";
  std::filesystem::remove_all(where);
  PosixEnv env;
  std::unique_ptr<Account> a =
      *Account::open(env, where, {.create = true, .epoch = Epoch(7), .segment_bytes = 40000, .format = 2});
  auto box = [&](const char* name, ModSeqMode mode) { return *create_mailbox(*a, name, mode); };
  const MailboxKey inbox = box("INBOX", ModSeqMode::own), mirror = box("INBOX.Sent", ModSeqMode::mirror);
  auto info = [](uint32_t i, const std::string& text) {
    NewMessage m;
    m.info.size = text.size();
    m.info.date = {1600000000 + int64_t{i} * 86400, static_cast<int16_t>(static_cast<int>(i % 5) * 60 - 120)};
    m.flags.system = static_cast<uint8_t>(i % 32);
    if (i % 7 == 0) m.flags.add("$Forwarded");
    if (i % 90 == 0) m.flags.add("NonJunk");
    if (i % 11 == 0) m.info.uidl = "uidl-" + std::to_string(i);
    if (i % 13 == 0) m.info.save_date = InternalDate{1700000000 + int64_t{i}, 0};
    return m;
  };
  for (uint32_t i = 0; i < 530; ++i) {
    const std::string text = letter_text(i);
    Batch b = a->begin();
    NewMessage m = info(i, text);
    m.info.body = *b.add_body(*prepare(*a, text));
    ASSERT_TRUE(b.add_message(inbox, m));
    ASSERT_TRUE(a->commit(std::move(b)));
  }
  Batch b = a->begin();
  for (uint32_t i = 0; i < 40; ++i) {  // listed first, as a copy does
    NewMessage m = info(i, letter_text(1000 + i));
    m.uid = Uid(i * 3 + 1);
    m.modseq = ModSeq(500 + i);
    ASSERT_TRUE(b.add_message(mirror, m));
  }
  ASSERT_TRUE(a->commit(std::move(b)));
  ASSERT_TRUE(a->train_dictionary());
  for (uint32_t i = 0; i < 30; ++i) {
    const std::string text = letter_text(1000 + i);
    b = a->begin();
    Sha256 name = *b.add_body(*prepare(*a, text));
    ASSERT_TRUE(b.attach_body(mirror, Uid(i * 3 + 1), name, text.size()));
    ASSERT_TRUE(a->commit(std::move(b)));
  }
  b = a->begin();
  SyncCursor cursor;
  cursor.uid_next = Uid(200);
  cursor.highest_modseq = ModSeq(600);
  cursor.complete = true;
  b.set_cursor(mirror, cursor);
  const std::string big = std::string(body_block_size + 1000, 'x') + "\r\n";
  NewMessage m = info(1, big);
  m.info.body = *b.add_body(*prepare(*a, big));
  ASSERT_TRUE(b.add_message(inbox, m));
  ASSERT_TRUE(b.expunge(inbox, UidSet(Uid(20), Uid(420))));
  FlagChange seen{FlagsMode::add, {}};
  seen.flags.system = wire::base::seen;
  ASSERT_TRUE(b.change_flags(inbox, UidSet(Uid(430), Uid(440)), seen));
  b.subscribe("INBOX.Sent", true);
  b.annotate("note", "kept");
  ASSERT_TRUE(a->commit(std::move(b)));
  ASSERT_TRUE(*rewrite(*a, eager()));  // packs, and leaves records without bodies and bodies without records
  for (uint32_t i = 0; i < 5; ++i) {
    const std::string text = letter_text(2000 + i);
    b = a->begin();
    m = info(600 + i, text);
    m.info.body = *b.add_body(*prepare(*a, text));
    ASSERT_TRUE(b.add_message(inbox, m));
    ASSERT_TRUE(a->commit(std::move(b)));
  }
  ASSERT_TRUE(Space(*a).retire({0, 0}));
  ASSERT_TRUE(Space(*a).retire({0, 0}));
  ASSERT_TRUE(a->close());
  const std::string whole = describe(*a);
  std::ofstream(where / "expected.txt", std::ios::binary) << whole;
  a.reset();
  a = *Account::open(env, where, {.epoch = Epoch(7)});
  EXPECT_TRUE(a->open_report().damage.empty());
  EXPECT_EQ(describe(*a), whole);
  EXPECT_TRUE(check_store(env, where)->clean());
  a.reset();
  if (kept == nullptr) std::filesystem::remove_all(where);
}

}  // namespace
}  // namespace storage
