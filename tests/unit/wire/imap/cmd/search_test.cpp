#include "wire/imap/cmd/search.h"

#include "tests/unit/wire/imap/support.h"

namespace wire::imap::cmd {
namespace {

using base::Errc;
using test::command_args;
using test::expect_command_round_trip;
using Op = SearchKey::Op;

// "all_of(3) seen" as op numbers and ends, to see the tree's shape.
std::string shape(const Search& s) {
  std::string out;
  for (const SearchKey& k : s.keys) {
    switch (k.op) {
      case Op::all_of:
        out += "(" + std::to_string(k.end) + " ";
        break;
      case Op::any_of:
        out += "|" + std::to_string(k.end) + " ";
        break;
      case Op::none_of:
        out += "!" + std::to_string(k.end) + " ";
        break;
      default:
        out += "x ";
    }
  }
  return out;
}

TEST(Search, builds_the_tree_in_prefix_order) {
  struct {
    std::string_view keys, shape;
  } cases[] = {{"ALL", "(2 x "},
               {"SEEN DELETED", "(3 x x "},
               {"NOT SEEN DELETED", "(4 !3 x x "},
               {"OR SEEN DELETED NEW", "(5 |4 x x x "},
               {"OR NOT SEEN (OLD NEW) ALL", "(8 |7 !4 x (7 x x x "},
               {"NOT NOT NOT ALL", "(5 !5 !5 !5 x "},
               {"OR OR 1 2 OR 3 4", "(8 |8 |5 x x |8 x x "},
               {"((ALL))", "(4 (4 (4 x "},
               {"NOT (SEEN (OR 1 2)) NEW", "(9 !8 (8 x (8 |8 x x x "}};
  for (const auto& c : cases) {
    auto s = command_args<Search>("a SEARCH " + std::string(c.keys));
    ASSERT_TRUE(s.has_value()) << c.keys << ": " << s.error().note;
    EXPECT_EQ(shape(*s), c.shape) << c.keys;
    expect_command_round_trip(*s, "SEARCH " + std::string(c.keys));
  }
}

TEST(Search, every_key_comes_back) {
  for (std::string_view keys :
       {"ANSWERED DELETED DRAFT FLAGGED NEW OLD RECENT SEEN UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN",
        "BCC a BODY \"b c\" CC d FROM e SUBJECT \"\" TEXT f TO g", "HEADER X-Y \"\"", "KEYWORD $Junk UNKEYWORD b",
        "BEFORE 1-Feb-2024 ON 29-Feb-2024 SINCE 31-Dec-1999",
        "SENTBEFORE 1-Feb-2024 SENTON 1-Feb-2024 SENTSINCE 1-Feb-2024",
        "SAVEDBEFORE 1-Feb-2024 SAVEDON 1-Feb-2024 SAVEDSINCE 1-Feb-2024 SAVEDATESUPPORTED",
        "LARGER 0 SMALLER 4294967296 OLDER 5 YOUNGER 6", "UID 1:5,9,* 2:4 *", "MODSEQ 9223372036854775807",
        "EMAILID M1 THREADID T1"}) {
    auto s = command_args<Search>("a SEARCH " + std::string(keys));
    ASSERT_TRUE(s.has_value()) << keys << ": " << s.error().note;
    expect_command_round_trip(*s, "SEARCH " + std::string(keys));
  }
}

TEST(Search, options_before_the_keys) {
  auto s = command_args<Search>("a UID SEARCH RETURN (MIN MAX ALL COUNT) CHARSET utf-8 SUBJECT {2}\r\n\xc3\xa4");
  ASSERT_TRUE(s.has_value()) << s.error().note;
  EXPECT_TRUE(s->uid && s->esearch && s->return_min && s->return_max && s->return_all && s->return_count);
  EXPECT_EQ(s->charset, "UTF-8");
  EXPECT_EQ(s->keys[1].text, "\xc3\xa4");
  expect_command_round_trip(*s);
  auto none = command_args<Search>("a SEARCH RETURN () ALL");
  ASSERT_TRUE(none.has_value());
  EXPECT_TRUE(none->esearch);
  expect_command_round_trip(*none, "SEARCH RETURN () ALL");
  auto modseq = command_args<Search>("a SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338");
  ASSERT_TRUE(modseq.has_value()) << modseq.error().note;
  EXPECT_TRUE(modseq->uses_modseq());
  EXPECT_EQ(modseq->keys[1].number, 620162338u);
}

TEST(Search, refuses_what_is_no_search) {
  for (std::string_view line : {"",
                                " ",
                                " FOO",
                                " NOT",
                                " NOT ",
                                " OR SEEN",
                                " OR SEEN ",
                                " OR",
                                " ()",
                                " (",
                                " (SEEN",
                                " (SEEN ",
                                " SEEN)",
                                " SEEN ",
                                " SEEN  OLD",
                                " (SEEN )",
                                " ( SEEN)",
                                " FROM",
                                " FROM ",
                                " HEADER a",
                                " KEYWORD \"a\"",
                                " BEFORE x",
                                " LARGER x",
                                " OLDER 0",
                                " YOUNGER 0",
                                " UID",
                                " UID x",
                                " MODSEQ",
                                " 0",
                                " CHARSET",
                                " CHARSET utf-8",
                                " CHARSET utf-8 ",
                                " RETURN (FOO) ALL",
                                " RETURN ALL",
                                " MODSEQ \"x\" foo 1",
                                " NOTSEEN",
                                " ORSEEN DELETED",
                                " SEENOLD",
                                " (SEEN)(OLD)",
                                " NOT (SEEN"}) {
    EXPECT_FALSE(command_args<Search>("a SEARCH" + std::string(line)).has_value()) << line;
  }
}

TEST(Search, depth_and_count_are_bounded) {
  for (std::string_view step : {"(", "NOT ", "OR ALL "}) {
    std::string deep = "a SEARCH ";
    for (int i = 0; i < 3000; ++i) deep += step;
    auto s = command_args<Search>(deep + "ALL");
    ASSERT_FALSE(s.has_value());
    EXPECT_EQ(s.error().code, Errc::limit) << step;
  }
  std::string fits = "a SEARCH ";
  for (int i = 0; i < max_search_depth; ++i) fits += "NOT ";
  EXPECT_TRUE(command_args<Search>(fits + "ALL").has_value());
  std::string wide = "a SEARCH ALL";
  for (size_t i = 0; i < max_search_keys; ++i) wide += " ALL";
  EXPECT_EQ(command_args<Search>(wide).error().code, Errc::limit);
}

TEST(Search, a_client_builds_one_key_by_key) {
  Search s{.uid = true};
  add_key(s, Op::since).day = Day{0};
  add_key(s, Op::from).text = "a b";
  expect_command_round_trip(s, "UID SEARCH SINCE 1-Jan-1970 FROM \"a b\"");
  std::string out;
  Writer w(out);
  write(w, Search{});
  EXPECT_FALSE(w.ok());
}

}  // namespace
}  // namespace wire::imap::cmd
