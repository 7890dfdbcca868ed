#include "wire/imap/cursor.h"

#include "tests/unit/wire/imap/support.h"

namespace wire::imap {
namespace {

using base::Errc;

struct AString {
  std::string s;
};
bool parse(Cursor& c, AString& out) { return c.astring(out.s); }

TEST(Cursor, reads_strings_in_every_form) {
  struct {
    std::string_view wire, value;
  } cases[] = {{"abc", "abc"},
               {"a]b", "a]b"},
               {"\"\"", ""},
               {"\"a b\"", "a b"},
               {R"("a\"b\\c")", "a\"b\\c"},
               {"{3}\r\na\"b", "a\"b"},
               {"{0}\r\n", ""},
               {"{2}\r\n\r\n", "\r\n"},
               {R"("a\bc")", "abc"},
               {"NIL", "NIL"}};
  for (const auto& c : cases) {
    auto got = test::read<AString>(c.wire);
    ASSERT_TRUE(got.has_value()) << c.wire;
    EXPECT_EQ(got->s, c.value) << c.wire;
  }
}

TEST(Cursor, refuses_what_is_no_string) {
  for (std::string_view wire : {"", " ", "(", ")", "\"", "\"abc", "\"a\\", "\"a\\\"", "a b", "\"a\" ", "\x80",
                                "\"\x80\"", "\"a\rb\"", "{3}", "{x}", "%", "*", "\\Seen", "a{1}"}) {
    test::Exact text(wire);
    EXPECT_FALSE(parse_all<AString>(Cursor(text.view())).has_value()) << wire;
  }
  std::string nul("\"a\0b\"", 5);
  EXPECT_FALSE(parse_all<AString>(Cursor(nul)).has_value());
}

TEST(Cursor, lets_eight_bit_pass_only_when_told) {
  Leniency lenient{.eight_bit = true};
  EXPECT_EQ(test::read<AString>("\"\xc3\xa4\"", lenient)->s, "\xc3\xa4");
  EXPECT_EQ(test::read<AString>("\xc3\xa4x", lenient)->s, "\xc3\xa4x");
}

TEST(Cursor, numbers_end_where_their_types_end) {
  struct {
    std::string_view text;
    bool fits32, fits64;
  } cases[] = {{"0", true, true},
               {"4294967295", true, true},
               {"4294967296", false, true},
               {"9223372036854775807", false, true},
               {"9223372036854775808", false, false},
               {"18446744073709551616", false, false},
               {"99999999999999999999999999", false, false},
               {"", false, false},
               {"-1", false, false},
               {"+1", false, false},
               {"x", false, false}};
  for (const auto& k : cases) {
    uint32_t small = 0;
    uint64_t large = 0;
    test::Exact text(k.text);
    Cursor a(text.view()), b(text.view());
    EXPECT_EQ(a.number(small), k.fits32) << k.text;
    EXPECT_EQ(b.number64(large), k.fits64) << k.text;
  }
}

TEST(Cursor, the_first_error_sticks) {
  Cursor c("abc def");
  EXPECT_FALSE(c.expect('x'));
  std::string_view word;
  EXPECT_FALSE(c.atom(word));
  EXPECT_FALSE(c.fail(Errc::limit, "later"));
  EXPECT_TRUE(c.at_end());
  EXPECT_EQ(c.peek(), '\0');
  EXPECT_FALSE(c.end());
  EXPECT_EQ(c.failure().code, Errc::malformed);
}

TEST(Cursor, spaces_are_counted_unless_told_otherwise) {
  auto parse_two = [](Cursor c) {
    std::string_view a, b;
    return c.atom(a) && c.sp() && c.atom(b) && c.end();
  };
  EXPECT_TRUE(parse_two(Cursor("a b")));
  EXPECT_FALSE(parse_two(Cursor("a  b")));
  EXPECT_FALSE(parse_two(Cursor("a b ")));
  Leniency lenient{.extra_space = true};
  EXPECT_TRUE(parse_two(Cursor("a  b ", lenient)));
}

TEST(Cursor, lists_take_items_up_to_their_cap) {
  auto count = [](std::string_view text, size_t cap, const Leniency& leniency = {}) {
    Cursor c(text, leniency);
    int n = 0;
    bool ok = c.list(cap, [&] {
      std::string_view word;
      ++n;
      return c.atom(word);
    });
    return ok && c.end() ? n : c.failure().code == Errc::limit ? -2 : -1;
  };
  EXPECT_EQ(count("()", 3), 0);
  EXPECT_EQ(count("(a b c)", 3), 3);
  EXPECT_EQ(count("(a b c d)", 3), -2);
  for (std::string_view bad : {"(", "(a", "(a ", "(a b", "( a)", "(a )", "(a  b)", "a", "", "(a))"}) {
    EXPECT_EQ(count(bad, 9), -1) << bad;
  }
  EXPECT_EQ(count("( a  b )", 9, {.extra_space = true}), 2);
}

TEST(Cursor, skips_balanced_values_and_keeps_them) {
  for (std::string_view value : {"abc", "\"a)b\"", "(a (b \")\") c)", "()", "(())", "((a)(b)NIL \"\\\"\")", "\\Flag",
                                 "BODY[HEADER.FIELDS", "12", "\"\xff\""}) {
    test::Exact text(std::string(value) + " x");
    Cursor c(text.view());
    RawSlice slice;
    ASSERT_TRUE(c.skip_value(slice)) << value;
    EXPECT_EQ(slice.text, value);
    EXPECT_EQ(c.rest(), " x");
  }
  for (std::string_view bad : {"", "(", "(a", "(a b", ")", "(\"a)", " "}) {
    test::Exact text(bad);
    Cursor c(text.view());
    EXPECT_FALSE(c.skip_value()) << bad;
  }
}

TEST(Cursor, skipping_counts_literals_so_that_the_next_value_finds_its_own) {
  test::Framed f = test::frames_of(Framer::Side::server, "({1}\r\na {2}\r\nbb) {3}\r\nccc\r\n");
  ASSERT_EQ(f.frames.size(), 1u);
  Cursor c(f.frames[0].frame());
  RawSlice slice;
  std::string value;
  ASSERT_TRUE(c.skip_value(slice) && c.sp() && c.string(value) && c.end());
  EXPECT_EQ(value, "ccc");
  // The slice can be read later by itself.
  Cursor inner(f.frames[0].frame(), slice);
  std::string a, b;
  EXPECT_TRUE(inner.expect('(') && inner.string(a) && inner.sp() && inner.string(b) && inner.expect(')'));
  EXPECT_EQ(a + b, "abb");
  std::string text;
  Writer w(text);
  EXPECT_TRUE(w.slice(slice, f.frames[0].literals).ok());
  EXPECT_EQ(text, "({1}\r\na {2}\r\nbb)");
}

TEST(Cursor, three_thousand_parentheses_are_a_limit_not_a_stack) {
  std::string deep(3000, '(');
  deep += std::string(3000, ')');
  Cursor c(deep);
  EXPECT_FALSE(c.skip_value());
  EXPECT_EQ(c.failure().code, Errc::limit);
}

}  // namespace
}  // namespace wire::imap
