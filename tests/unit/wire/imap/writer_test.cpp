#include "wire/imap/writer.h"

#include "tests/unit/wire/imap/support.h"

namespace wire::imap {
namespace {

std::string astring(std::string_view s, Literals literals = Literals::server) {
  std::string out;
  Writer w(out, literals);
  w.astring(s);
  EXPECT_TRUE(w.ok());
  return out;
}

TEST(Writer, chooses_the_form_that_the_bytes_allow) {
  EXPECT_EQ(astring("abc"), "abc");
  EXPECT_EQ(astring("a]"), "a]");
  EXPECT_EQ(astring(""), "\"\"");
  EXPECT_EQ(astring("NIL"), "\"NIL\"");
  EXPECT_EQ(astring("a b"), "\"a b\"");
  EXPECT_EQ(astring("a\"b\\"), "\"a\\\"b\\\\\"");
  EXPECT_EQ(astring("a\r\nb LOGOUT"), "{11}\r\na\r\nb LOGOUT");
  EXPECT_EQ(astring("\xc3\xa4"), "{2}\r\n\xc3\xa4");
  EXPECT_EQ(astring(std::string_view("\0", 1)), std::string("{1}\r\n\0", 6));
  EXPECT_EQ(astring("\xc3\xa4", Literals::plus), "{2+}\r\n\xc3\xa4");
}

TEST(Writer, a_client_learns_where_to_wait) {
  std::string out;
  Writer w(out, Literals::sync);
  w.astring("\x80").sp().astring("\x81");
  EXPECT_EQ(w.sync_points(), (std::vector<size_t>{5, 12}));
  EXPECT_EQ(out.substr(0, 5), "{1}\r\n");
}

TEST(Writer, literal_minus_waits_above_4096) {
  std::string out;
  Writer w(out, Literals::minus);
  w.literal_header(4096);
  EXPECT_TRUE(w.sync_points().empty());
  w.literal_header(4097);
  EXPECT_EQ(w.sync_points().size(), 1u);
  EXPECT_EQ(out, "{4096+}\r\n{4097}\r\n");
}

TEST(Writer, fails_rather_than_writing_an_atom_that_is_none) {
  for (std::string_view bad : {"", "a b", "a\r\n", "a(", "\x80", "a\"", "a{"}) {
    std::string out;
    Writer w(out);
    w.atom(bad);
    EXPECT_FALSE(w.ok()) << bad;
  }
}

TEST(Writer, text_cannot_end_its_line) {
  std::string out;
  Writer w(out);
  w.text("a\r\nb");
  EXPECT_EQ(out, "a??b");
}

struct AnyString {
  std::string s;
  bool operator==(const AnyString&) const = default;
};
bool parse(Cursor& c, AnyString& out) { return c.astring(out.s); }
void write(Writer& w, const AnyString& s) { w.astring(s.s); }

TEST(Writer, every_byte_comes_back) {
  for (int c = 0; c < 256; ++c) {
    test::expect_round_trip(AnyString{std::string(1, char(c))});
    test::expect_round_trip(AnyString{"x" + std::string(2, char(c))});
  }
}

}  // namespace
}  // namespace wire::imap
