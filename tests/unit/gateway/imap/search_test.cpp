#include "gateway/imap/search.h"

#include <gtest/gtest.h>

#include "gateway/derived/content.h"
#include "tests/fault/fault_env.h"
#include "tests/unit/gateway/imap/snapshots.h"
#include "wire/imap/command.h"
#include "wire/mail/scan.h"

namespace gateway::imap {
namespace {

constexpr int64_t now = 1'600'000'000;

storage::Result<SearchProgram> prepare(const std::string& keys, const storage::MailboxSnapshot& box) {
  const std::string line = "a SEARCH " + keys;
  wire::imap::Frame frame{line, {}};
  auto command = wire::imap::parse_command(frame);
  auto args = wire::imap::parse_args<SearchArgs>(*command);
  if (!args) return args.error();
  return SearchProgram::prepare(*args, box, box, now);
}

Verdict match(const std::string& keys, const tests::Box& box, uint32_t index, bool recent = false,
              const char* content = nullptr) {
  const auto snapshot = box.now();
  const auto program = prepare(keys, *snapshot);
  EXPECT_TRUE(program) << keys;
  if (!program) return Verdict::unknown;
  const SearchMessage message{snapshot.get(), index, wire::base::SeqNo(index + 1), recent};
  if (!content) return program->match(message, nullptr);
  const auto scan = wire::mail::scan(content);
  ScannedContent scanned(scan);
  const Verdict verdict = program->match(message, &scanned);
  // What is derived from the message says the same, or has not what it takes.
  storage::FaultEnv env;
  EXPECT_TRUE(env.make_directory("/d"));
  const auto data = storage::DerivedData::open(env, "/d/derived.data", {{}, 1, derived::column_count});
  storage::DerivedGroup group(derived::column_count);
  const storage::Sha256 name{{1}};
  derived::Maker(derived::KeepText::always).add(group, name, scan, true);
  EXPECT_TRUE(data->append(group));
  auto reader = data->reader();
  const auto marks = reader.seek(name);
  EXPECT_TRUE(marks);
  DerivedContent kept(reader, [](const storage::Sha256&) { return storage::Failure(storage::Errc::not_found, ""); });
  if (marks && kept.stand(name, *marks, program->marks())) {
    EXPECT_EQ(program->match(message, &kept), verdict) << keys;
  }
  return verdict;
}

struct Case {
  const char* keys;
  bool first, second;  // message 1: seen, keyword Blue, 200 octets, 2020-09-13; 2: flagged, 100 octets, an hour old
};

class SnapshotKeys : public testing::TestWithParam<Case> {};

TEST_P(SnapshotKeys, decide_without_content) {
  tests::Box box;
  box.add({wire::base::seen, {"Blue"}}, {1'599'955'200, 0}, 200);
  box.add({wire::base::flagged | wire::base::deleted, {}}, {now - 3600, 0}, 100);
  EXPECT_EQ(match(GetParam().keys, box, 0), GetParam().first ? Verdict::yes : Verdict::no);
  EXPECT_EQ(match(GetParam().keys, box, 1), GetParam().second ? Verdict::yes : Verdict::no);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SnapshotKeys,
    testing::Values(Case{"ALL", true, true}, Case{"SEEN", true, false}, Case{"UNSEEN", false, true},
                    Case{"FLAGGED DELETED", false, true}, Case{"FLAGGED UNDELETED", false, false},
                    Case{"NOT SEEN", false, true}, Case{"OR SEEN DELETED", true, true},
                    Case{"(OR SEEN DELETED) NOT FLAGGED", true, false}, Case{"KEYWORD blue", true, false},
                    Case{"UNKEYWORD blue", false, true}, Case{"KEYWORD none", false, false}, Case{"1", true, false},
                    Case{"*", false, true}, Case{"3:9", false, false}, Case{"UID 2:*", false, true},
                    Case{"LARGER 150", true, false}, Case{"SMALLER 200", false, true}, Case{"OLDER 7200", true, false},
                    Case{"YOUNGER 7200", false, true}, Case{"SINCE 13-Sep-2020", true, true},
                    Case{"BEFORE 13-Sep-2020", false, false}, Case{"ON 13-Sep-2020", true, true},
                    Case{"MODSEQ 1", true, true}, Case{"MODSEQ 9999999", false, false}));

TEST(SearchTest, recent_is_the_sessions_own) {
  tests::Box box(1);
  EXPECT_EQ(match("RECENT", box, 0, true), Verdict::yes);
  EXPECT_EQ(match("RECENT", box, 0, false), Verdict::no);
  EXPECT_EQ(match("OLD", box, 0, false), Verdict::yes);
  EXPECT_EQ(match("NEW", box, 0, true), Verdict::yes);
}

TEST(SearchTest, content_is_asked_for_only_when_it_decides) {
  tests::Box box(1);
  EXPECT_EQ(match("BODY x", box, 0), Verdict::unknown);
  EXPECT_EQ(match("SEEN BODY x", box, 0), Verdict::no);
  EXPECT_EQ(match("OR UNSEEN BODY x", box, 0), Verdict::yes);
  EXPECT_EQ(match("NOT BODY x", box, 0), Verdict::unknown);
  EXPECT_EQ(match("NOT (SEEN BODY x)", box, 0), Verdict::yes);
}

TEST(SearchTest, knows_how_much_content_it_needs) {
  tests::Box box(1);
  EXPECT_FALSE(prepare("SEEN", *box.now())->needs_content());
  EXPECT_TRUE(prepare("FROM x", *box.now())->needs_content());
  EXPECT_FALSE(prepare("FROM x SENTON 1-Jan-2020", *box.now())->needs_body());
  EXPECT_TRUE(prepare("TEXT x", *box.now())->needs_body());
}

constexpr const char* letter =
    "From: Ann <ann@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Wed, 1 Jan 2020 23:30:00 -0500\r\n"
    "X-Mark: yes\r\n\r\nHello World\r\n";

struct ContentCase {
  const char* keys;
  bool yes;
};

class ContentKeys : public testing::TestWithParam<ContentCase> {};

TEST_P(ContentKeys, decide_by_content) {
  tests::Box box(1);
  EXPECT_EQ(match(GetParam().keys, box, 0, false, letter), GetParam().yes ? Verdict::yes : Verdict::no);
}

INSTANTIATE_TEST_SUITE_P(Cases, ContentKeys,
                         testing::Values(ContentCase{"FROM ANN", true}, ContentCase{"TO ann", false},
                                         ContentCase{"SUBJECT gr", true}, ContentCase{"HEADER X-Mark \"\"", true},
                                         ContentCase{"HEADER X-None \"\"", false},
                                         ContentCase{"BODY \"hello w\"", true}, ContentCase{"BODY ann", false},
                                         ContentCase{"TEXT ann", true}, ContentCase{"SENTON 1-Jan-2020", true},
                                         ContentCase{"SENTON 2-Jan-2020", false},
                                         ContentCase{"SENTBEFORE 2-Jan-2020", true},
                                         ContentCase{"SENTSINCE 2-Jan-2020", false}));

TEST(SearchTest, a_message_without_a_date_was_sent_on_no_day) {
  tests::Box box(1);
  EXPECT_EQ(match("SENTSINCE 1-Jan-1990", box, 0, false, "Subject: x\r\n\r\n"), Verdict::no);
}

TEST(SearchTest, an_interval_of_nothing_is_a_syntax_error) {
  tests::Box box(1);
  for (const char* keys : {"OLDER 0", "YOUNGER 0", "NOT YOUNGER 00"}) {
    const auto program = prepare(keys, *box.now());
    ASSERT_FALSE(program) << keys;
    EXPECT_EQ(program.error().code, wire::base::Errc::malformed) << keys;
  }
  EXPECT_TRUE(prepare("OLDER 1 SMALLER 1 LARGER 0", *box.now()));
}

TEST(SearchTest, keys_of_extensions_that_are_not_advertised_are_unknown) {
  tests::Box box(1);
  EXPECT_FALSE(prepare("SAVEDBEFORE 1-Jan-2020", *box.now()));
}

}  // namespace
}  // namespace gateway::imap
