// The values that the grammar is made of: mailbox names, dates, sets, flags, sections, capabilities.
#include "tests/unit/wire/imap/support.h"
#include "wire/imap/capabilities.h"
#include "wire/imap/date.h"
#include "wire/imap/flags.h"
#include "wire/imap/mailbox.h"
#include "wire/imap/mutf7.h"
#include "wire/imap/section.h"
#include "wire/imap/sets.h"

namespace wire::imap {
namespace {

using base::Errc;
using base::InternalDate;
using base::ModSeq;
using base::SeqNo;
using base::Uid;
using base::UidSet;
using test::expect_round_trip;
using test::read;
using test::written;

TEST(Mutf7, converts_both_ways) {
  struct {
    std::string_view utf7, utf8;
  } cases[] = {
      {"INBOX", "INBOX"},
      {"", ""},
      {"a&-b", "a&b"},
      {"&-&-", "&&"},
      {"Entw&APw-rfe", "Entw\xc3\xbcrfe"},
      {"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
      {"&2D3eAA-", "\xf0\x9f\x98\x80"},
      {"&AAE-", "\x01"},
      {"&AH8-", "\x7f"}};
  for (const auto& c : cases) {
    auto utf8 = mutf7_to_utf8(c.utf7);
    ASSERT_TRUE(utf8.has_value()) << c.utf7;
    EXPECT_EQ(*utf8, c.utf8);
    auto back = utf8_to_mutf7(c.utf8);
    ASSERT_TRUE(back.has_value()) << c.utf8;
    EXPECT_EQ(*back, c.utf7);
  }
}

TEST(Mutf7, refuses_what_would_not_come_back_the_same) {
  for (std::string_view bad :
       {"&", "a&b", "&AGE-" /* a */, "&APw", "&A-", "&AP-", "&APx-" /* stray bits */, "&2D0-" /* half */,
        "&3gA-" /* low half */, "&2D0AYQ-", "&APw-&APw-", "&AP/-", "&A=-", "\xc3\xbc", "\x01", "&APwA-"}) {
    EXPECT_FALSE(mutf7_to_utf8(bad).has_value()) << bad;
  }
  for (std::string_view bad : {"\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xe2\x82"}) {
    EXPECT_FALSE(utf8_to_mutf7(bad).has_value());
  }
}

TEST(Mailbox, inbox_has_one_spelling_and_others_keep_theirs) {
  EXPECT_EQ(read<MailboxName>("inBox")->octets, "INBOX");
  EXPECT_EQ(read<MailboxName>("\"iNBOX\"")->octets, "INBOX");
  EXPECT_EQ(read<MailboxName>("inbox.Sub")->octets, "inbox.Sub");
  for (std::string_view name : {"a b", "x\"y\\z", "\xc3\xa4", "NIL", "a/&-/b", "]["}) {
    expect_round_trip(MailboxName{std::string(name)});
  }
  EXPECT_FALSE(read<MailboxName>("{3}\r\na\r\n").has_value());
  EXPECT_EQ(read<MailboxName>(std::string(1025, 'x')).error().code, Errc::limit);
}

TEST(ListMatch, follows_the_wildcards) {
  struct {
    std::string_view pattern, name;
    char separator;
    bool matches;
  } cases[] = {{"*", "a/b/c", '/', true},
               {"%", "a", '/', true},
               {"%", "a/b", '/', false},
               {"%", "a/b", '.', true},
               {"%", "a/b", '\0', true},
               {"%/%", "a/b", '/', true},
               {"%/%", "a/b/c", '/', false},
               {"a*c", "a/b/c", '/', true},
               {"a%c", "abc", '/', true},
               {"a%c", "a/c", '/', false},
               {"", "", '/', true},
               {"", "a", '/', false},
               {"a", "A", '/', false},
               {"inbox", "INBOX", '/', true},
               {"InBoX/%", "INBOX/x", '/', true},
               {"inbox", "INBOXES", '/', false},
               {"inboxes", "INBOXES", '/', false},
               {"%%%*", "a/b", '/', true},
               {"*%", "", '/', true},
               {"*/c", "a/b/c", '/', true},
               {"*b%", "a/b/c", '/', false},
               {"%b*", "ab/c", '/', true},
               {"a", "a/b", '/', false},
               {"a*b*c", "axbxbxc", '/', true},
               {"a*b*c", "axbxbx", '/', false}};
  for (const auto& c : cases) {
    EXPECT_EQ(list_match(c.pattern, c.name, c.separator), c.matches) << c.pattern << " against " << c.name;
  }
}

TEST(ListMatch, many_wildcards_cost_no_more_than_the_product) {
  std::string pattern;
  for (int i = 0; i < 300; ++i) pattern += "*a%";
  pattern += "b";
  EXPECT_FALSE(list_match(pattern, std::string(1000, 'a'), '/'));
}

TEST(Date, internal_date_is_written_as_read) {
  struct {
    std::string_view text;
    int64_t seconds;
    int zone;
  } cases[] = {{"\" 1-Feb-2024 10:00:00 +0100\"", 1706778000, 60}, {"\"01-Jan-1970 00:00:00 +0000\"", 0, 0},
               {"\"31-Dec-1969 23:59:59 +0000\"", -1, 0},          {"\"29-Feb-2000 12:34:56 -0930\"", 951861896, -570},
               {"\" 9-Jul-1905 00:00:00 +0000\"", -2034892800, 0}, {"\"31-Dec-9999 23:59:59 +0000\"", 253402300799, 0},
               {"\" 1-Jan-0001 00:00:00 +0000\"", -62135596800, 0}};
  for (const auto& c : cases) {
    auto date = read<InternalDate>(c.text);
    ASSERT_TRUE(date.has_value()) << c.text;
    EXPECT_EQ(date->seconds, c.seconds) << c.text;
    EXPECT_EQ(date->zone_minutes, c.zone) << c.text;
    expect_round_trip(*date);
  }
  EXPECT_EQ(written(InternalDate{1706778000, 60}), "\" 1-Feb-2024 10:00:00 +0100\"");
}

TEST(Date, refuses_days_that_do_not_exist) {
  for (std::string_view bad :
       {"\"30-Feb-2024 10:00:00 +0100\"", "\"29-Feb-2023 10:00:00 +0100\"", "\"00-Jan-2024 10:00:00 +0100\"",
        "\"01-Foo-2024 10:00:00 +0100\"", "\"01-Jan-2024 24:00:00 +0100\"", "\"01-Jan-2024 10:60:00 +0100\"",
        "\"01-Jan-2024 10:00:61 +0100\"", "\"01-Jan-2024 10:00:00 +0160\"", "\"01-Jan-2024 10:00:00 0100\"",
        "\"01-Jan-2024 10:00:00\"", "\"1-Jan-2024 10:00:00 +0100\"", "\"01-Jan-24 10:00:00 +0100\"", "\"\"", "x",
        "\"01-Jan-0000 10:00:00 +0100\"", "\"01-Jan-2024 10:00:00 +0100", "\"01-Jan-2024 10:00:00 GMT\""}) {
    EXPECT_FALSE(read<InternalDate>(bad).has_value()) << bad;
  }
  Leniency loose{.loose_date = true};
  EXPECT_EQ(read<InternalDate>("\"1-Jan-1970 00:00:01 GMT\"", loose)->seconds, 1);
}

TEST(Date, every_day_of_four_centuries_comes_back) {
  for (int32_t day = days_from_civil(1800, 1, 1); day < days_from_civil(2200, 1, 1); ++day) {
    std::string text;
    Writer w(text);
    write(w, Day{day});
    auto back = parse_all<Day>(Cursor(text));
    ASSERT_TRUE(back.has_value() && back->days == day) << text;
  }
}

TEST(Date, search_days_are_those_of_the_messages_own_zone) {
  EXPECT_EQ(read<Day>("1-Feb-2024")->days, read<Day>("\"01-Feb-2024\"")->days);
  EXPECT_FALSE(read<Day>("32-Jan-2024").has_value());
  EXPECT_FALSE(read<Day>("\"1-Feb-2024").has_value());
  InternalDate late = *read<InternalDate>("\" 1-Feb-2024 23:30:00 -0500\"");
  EXPECT_EQ(day_of(late), *read<Day>("1-Feb-2024"));
}

SequenceSet set_of(std::string_view text) {
  auto set = read<SequenceSet>(text);
  EXPECT_TRUE(set.has_value()) << text;
  return *set;
}

TEST(Sets, star_is_the_largest_and_an_empty_mailbox_has_none) {
  struct {
    std::string_view text;
    uint32_t max;
    std::string_view resolved;
  } cases[] = {{"1", 9, "1"},       {"1:3,5", 9, "1:3,5"}, {"*", 9, "9"},         {"*:4", 9, "4:9"},
               {"12:*", 9, "9:12"}, {"3,1,2", 9, "1:3"},   {"5:2", 9, "2:5"},     {"1:*", 0, ""},
               {"*", 0, ""},        {"*,3", 0, "3"},       {"1:5,3:9", 9, "1:9"}, {"4294967295,*", 9, "9,4294967295"}};
  for (const auto& c : cases) {
    EXPECT_EQ(set_of(c.text).resolve(Uid(c.max)).to_string(), c.resolved) << c.text;
    expect_round_trip(set_of(c.text));
  }
  EXPECT_TRUE(set_of("1:*").has_star());
  EXPECT_FALSE(set_of("1:2").has_star());
}

TEST(Sets, refuse_what_is_no_set) {
  for (std::string_view bad :
       {"", "0", ",", "1,", ",1", "1:", ":1", "1:2:3", "a", "1,,2", "4294967296", "**", "-1", "1:0", "0:1", "$"}) {
    EXPECT_FALSE(read<SequenceSet>(bad).has_value()) << bad;
  }
  EXPECT_FALSE(read<UidSet>("*").has_value());
  EXPECT_FALSE(read<UidSet>("1:*").has_value());
}

TEST(Sets, a_hostile_order_takes_no_quadratic_time) {
  std::string text;
  for (int i = 200'000; i > 0; i -= 2) text += std::to_string(i) + ",";
  text += "1";
  Cursor c(text);
  UidSet set;
  ASSERT_TRUE(parse(c, set));
  EXPECT_EQ(set.count(), 100'001u);
}

TEST(Sets, an_endless_set_is_a_limit) {
  std::string text = "1";
  for (size_t i = 0; i < max_set_ranges; ++i) text += ",1";
  Cursor c(text);
  SequenceSet set;
  EXPECT_FALSE(parse(c, set));
  EXPECT_EQ(c.failure().code, Errc::limit);
}

TEST(Sets, copyuid_lists_keep_their_order) {
  auto list = read<UidList>("7,3:1,9");
  ASSERT_TRUE(list.has_value());
  EXPECT_EQ(written(*list), "7,1:3,9");
  EXPECT_EQ(list->count(), 5u);
}

TEST(Sets, an_empty_set_cannot_be_written) {
  std::string out;
  Writer w(out);
  write(w, UidSet());
  EXPECT_FALSE(w.ok());
}

TEST(Flags, reads_system_flags_keywords_and_the_star) {
  auto list = read<FlagList>("(\\seen \\Recent $Forwarded \\ANSWERED \\* $forwarded)");
  ASSERT_TRUE(list.has_value());
  EXPECT_EQ(list->flags.system, base::seen | base::answered);
  EXPECT_EQ(list->flags.keywords, std::vector<std::string>{"$Forwarded"});
  EXPECT_TRUE(list->recent);
  EXPECT_TRUE(list->any_keyword);
  EXPECT_EQ(written(*list), "(\\Answered \\Seen \\Recent $Forwarded \\*)");
  expect_round_trip(*list);
  expect_round_trip(FlagList());
  expect_round_trip(*read<FlagList>("(\\XStrange a b c)"));
}

TEST(Flags, refuses_what_is_no_flag) {
  for (std::string_view bad :
       {"", "(", ")", "\\Seen", "(\\Seen", "(\\)", "(a b", "(\"a\")", "({1}\r\na)", "([x])", "(a ( b))"}) {
    EXPECT_FALSE(read<FlagList>(bad).has_value()) << bad;
  }
  EXPECT_TRUE(read<FlagList>("([x] Junk])", {.loose_flags = true})->flags.has("[x]"));
}

TEST(Flags, bounds_keywords) {
  std::string text = "(a";
  for (size_t i = 0; i < max_keywords; ++i) text += " k" + std::to_string(i);
  EXPECT_EQ(read<FlagList>(text + ")").error().code, Errc::limit);
  EXPECT_EQ(read<FlagList>("(" + std::string(256, 'k') + ")").error().code, Errc::limit);
}

TEST(Section, comes_back_in_every_form) {
  for (std::string_view text : {"[]", "[HEADER]", "[TEXT]", "[1]", "[1.2.3]", "[1.MIME]", "[2.HEADER]", "[2.TEXT]",
                                "[HEADER.FIELDS (From To)]", "[4.1.HEADER.FIELDS.NOT (X-Spam)]"}) {
    auto section = read<Section>(text);
    ASSERT_TRUE(section.has_value()) << text;
    EXPECT_EQ(written(*section), text);
    expect_round_trip(*section);
  }
  EXPECT_EQ(read<Section>("[header.fields (\"From\" {2}\r\nTo)]")->fields, (std::vector<std::string>{"From", "To"}));
  for (std::string_view bad : {"", "[", "[MIME]", "[1.]", "[0]", "[1.0]", "[1 ]", "[FOO]", "[HEADER.FIELDS]",
                               "[HEADER.FIELDS ()]", "[HEADER.FIELDS (a]", "[1.2", "[.1]", "[1..2]", "[TEXT.1]"}) {
    EXPECT_FALSE(read<Section>(bad).has_value()) << bad;
  }
  std::string deep = "[1";
  for (int i = 0; i < 200; ++i) deep += ".1";
  EXPECT_EQ(read<Section>(deep + "]").error().code, Errc::limit);
}

TEST(Section, partial_has_an_offset_and_a_length) {
  auto partial = [](std::string_view text) {
    Cursor c(text);
    std::optional<Partial> out;
    return parse_partial(c, out) && c.end() ? out : std::optional<Partial>(Partial{0, 0});
  };
  EXPECT_EQ(partial(""), std::nullopt);
  EXPECT_EQ(partial("<0.1>"), (Partial{0, 1}));
  EXPECT_EQ(partial("<4294967295.4294967295>"), (Partial{UINT32_MAX, UINT32_MAX}));
  for (std::string_view bad : {"<0>", "<0.0>", "<.1>", "<1.>", "<1.1", "<-1.1>", "<4294967296.1>"}) {
    EXPECT_EQ(partial(bad), (Partial{0, 0})) << bad;
  }
}

TEST(Capabilities, compare_without_case_and_have_values) {
  Capabilities c{"IMAP4rev1", "AUTH=PLAIN", "auth=login", "APPENDLIMIT=77", "IDLE"};
  EXPECT_TRUE(c.has("imap4REV1"));
  EXPECT_EQ(c.value("appendlimit"), "77");
  EXPECT_EQ(c.values("AUTH"), (std::vector<std::string_view>{"PLAIN", "login"}));
  EXPECT_TRUE(c.value("IDLE").empty());
  c.add("idle");
  EXPECT_EQ(c.names().size(), 5u);
  c.remove("Idle");
  EXPECT_FALSE(c.has("IDLE"));
  EXPECT_EQ(written(c), " IMAP4rev1 AUTH=PLAIN auth=login APPENDLIMIT=77");
  Cursor cursor(" A B C");
  Capabilities back;
  EXPECT_TRUE(parse(cursor, back) && cursor.end());
  EXPECT_TRUE(back == (Capabilities{"c", "b", "a"}));
}

}  // namespace
}  // namespace wire::imap
