#include "wire/imap/framer.h"

#include "tests/unit/wire/imap/support.h"

namespace wire::imap {
namespace {

using base::Errc;
using test::Framed;
using test::frames_of;
using Side = Framer::Side;
using Event = Framer::Event;

TEST(Framer, cuts_lines) {
  Framed f = frames_of(Side::server, "a NOOP\r\n\r\nb LOGOUT\r\n");
  ASSERT_EQ(f.frames.size(), 3u);
  EXPECT_EQ(f.frames[0].text, "a NOOP");
  EXPECT_EQ(f.frames[1].text, "");
  EXPECT_EQ(f.frames[2].text, "b LOGOUT");
  EXPECT_TRUE(f.idle);
}

TEST(Framer, joins_literals_in_every_notation_to_the_same_text) {
  for (std::string_view mark : {"{3}", "{3+}", "{0003}"}) {
    Framed f = frames_of(Side::server, "a LOGIN " + std::string(mark) + "\r\nx\r\n {1}\r\ny\r\n");
    ASSERT_EQ(f.frames.size(), 1u) << mark;
    EXPECT_EQ(f.frames[0].text, "a LOGIN {3}\r\n {1}\r\n");
    EXPECT_EQ(f.frames[0].bytes, (std::vector<std::string>{"x\r\n", "y"}));
  }
}

TEST(Framer, marks_literal8) {
  Framed f = frames_of(Side::server, std::string("a APPEND b ~{2+}\r\n\0\1\r\n", 22));
  ASSERT_EQ(f.frames.size(), 1u);
  EXPECT_TRUE(f.frames[0].literals[0].binary);
  EXPECT_EQ(f.frames[0].bytes[0], std::string("\0\1", 2));
}

TEST(Framer, every_truncation_is_incomplete) {
  std::string input = "a APPEND box {5}\r\nhello {0}\r\n \"{3}\" {2+}\r\n\r\n end\r\n";
  for (size_t n = 0; n < input.size(); ++n) {
    Framed f = frames_of(Side::server, input.substr(0, n));
    EXPECT_EQ(f.error, "");
    EXPECT_TRUE(f.frames.empty()) << n;
    EXPECT_EQ(f.idle, n == 0) << n;
  }
  EXPECT_EQ(frames_of(Side::server, input).frames.size(), 1u);
}

TEST(Framer, refuses_a_bare_line_feed_unless_told_otherwise) {
  EXPECT_NE(frames_of(Side::server, "a NOOP\n").error, "");
  Framed f = frames_of(Side::client, "* 1 FETCH (BODY[] {2}\nab)\n* OK x\r\n", {}, {.bare_lf = true});
  ASSERT_EQ(f.frames.size(), 2u);
  EXPECT_EQ(f.frames[0].text, "* 1 FETCH (BODY[] {2}\r\n)");
}

TEST(Framer, reads_braces_at_the_end_of_status_text_as_text) {
  for (std::string_view line : {"* OK see {5}", "a1 NO {5}", "+ {5}", "* bye {99999999999999999999999}"}) {
    Framed f = frames_of(Side::client, std::string(line) + "\r\n* OK x\r\n");
    ASSERT_EQ(f.frames.size(), 2u) << line;
    EXPECT_EQ(f.frames[0].text, line);
  }
}

TEST(Framer, what_only_looks_like_a_literal_is_text) {
  for (std::string_view line : {"a {}", "a {x}", "a {5-}", "a 5}", "}", "a {5 }", "a {++}"}) {
    Framed f = frames_of(Side::server, std::string(line) + "\r\n");
    ASSERT_EQ(f.frames.size(), 1u) << line;
    EXPECT_EQ(f.frames[0].text, line);
  }
}

TEST(Framer, refuses_numbers_that_no_buffer_holds) {
  for (std::string_view n : {"9223372036854775808", "18446744073709551615", "18446744073709551616",
                             "99999999999999999999999999999999999999", "1099511627777"}) {
    for (Side side : {Side::server, Side::client}) {
      Framer framer(side);
      std::string input = "* 1 FETCH (BODY[] {" + std::string(n) + "}\r\n";
      std::string_view in = input;
      auto event = framer.next(in);
      ASSERT_FALSE(event.has_value()) << n;
      EXPECT_EQ(event.error().code, Errc::limit);
      // Final: the stream is out of step.
      EXPECT_FALSE(framer.next(in).has_value());
    }
  }
}

TEST(Framer, bounds_a_line_without_end) {
  FramerLimits limits{.max_line = 100};
  Framer framer(Side::server, limits);
  std::string piece(10, 'x');
  size_t taken = 0;
  for (;; taken += piece.size()) {
    ASSERT_LT(taken, 200u);
    std::string_view in = piece;
    if (!framer.next(in)) break;
  }
  EXPECT_EQ(taken, 100u);
  EXPECT_EQ(framer.text().substr(0, 3), "xxx");
}

TEST(Framer, the_longest_line_passes_and_one_byte_more_does_not) {
  FramerLimits limits{.max_line = 100};
  EXPECT_EQ(frames_of(Side::server, std::string(100, 'x') + "\r\n", limits).frames.size(), 1u);
  EXPECT_EQ(frames_of(Side::server, std::string(101, 'x') + "\r\n", limits).error, "line too long");
  // All lines of a frame together.
  std::string part(60, 'x');
  EXPECT_EQ(frames_of(Side::server, part + "{1}\r\ny" + part + "\r\n", limits).error, "line too long");
}

TEST(Framer, bounds_literals_by_size_number_and_sum) {
  FramerLimits limits{.max_inline_literal = 10, .max_literals = 3, .max_inline_total = 20};
  EXPECT_EQ(frames_of(Side::server, "a {11}\r\n01234567890\r\n", limits).error, "literal too large");
  EXPECT_EQ(frames_of(Side::server, "{1}\r\nx{1}\r\nx{1}\r\nx{1}\r\nx\r\n", limits).error, "too many literals");
  std::string ten = "{10}\r\n0123456789";
  EXPECT_EQ(frames_of(Side::server, ten + ten + "\r\n", limits).frames.size(), 1u);
  EXPECT_EQ(frames_of(Side::server, ten + ten + "{1}\r\nx\r\n", limits).error, "literal too large");
}

TEST(Framer, streams_a_literal_as_views_of_the_callers_buffer) {
  std::string body(100'000, 'b');
  std::string input = "* 1 FETCH (UID 7 BODY[] {100000}\r\n" + body + " FLAGS ())\r\n";
  for (size_t piece : {size_t{1}, size_t{7}, size_t{4096}, input.size()}) {
    Framer framer(Side::client);
    std::string got;
    int frames = 0;
    for (size_t at = 0; at < input.size(); at += piece) {
      test::Exact block(std::string_view(input).substr(at, piece));
      std::string_view in = block.view();
      for (bool more = false; !more;) {
        auto event = framer.next(in);
        ASSERT_TRUE(event.has_value());
        switch (*event) {
          case Event::more:
            more = true;
            break;
          case Event::literal:
            EXPECT_EQ(framer.text(), "* 1 FETCH (UID 7 BODY[] {100000}\r\n");
            EXPECT_EQ(framer.announced().size, 100000u);
            EXPECT_EQ(framer.literals_so_far().size(), 1u);
            framer.stream();
            break;
          case Event::chunk:
            EXPECT_GE(framer.chunk().data(), block.view().data());
            EXPECT_LE(framer.chunk().data() + framer.chunk().size(), block.view().data() + block.view().size());
            got += framer.chunk();
            EXPECT_EQ(framer.chunk_ends_literal(), got.size() == body.size());
            break;
          case Event::frame:
            ++frames;
            EXPECT_EQ(framer.frame().text, "* 1 FETCH (UID 7 BODY[] {100000}\r\n FLAGS ())");
            EXPECT_TRUE(framer.frame().literals[0].streamed);
            EXPECT_EQ(framer.frame().literals[0].size, 100000u);
            break;
        }
      }
    }
    EXPECT_EQ(frames, 1);
    EXPECT_TRUE(got == body);
    EXPECT_TRUE(framer.idle());
  }
}

TEST(Framer, an_empty_streamed_literal_has_one_empty_chunk) {
  Framer framer(Side::client);
  std::string_view in = "* 1 FETCH (BODY[] {0}\r\n)\r\n";
  EXPECT_EQ(framer.next(in).value(), Event::literal);
  framer.stream();
  EXPECT_EQ(framer.next(in).value(), Event::chunk);
  EXPECT_TRUE(framer.chunk().empty());
  EXPECT_TRUE(framer.chunk_ends_literal());
  EXPECT_EQ(framer.next(in).value(), Event::frame);
  EXPECT_EQ(framer.next(in).value(), Event::more);
}

TEST(Framer, after_refusing_a_synchronizing_literal_the_next_byte_is_a_command) {
  Framer framer(Side::server);
  std::string_view in = "a APPEND big {1000000}\r\nb NOOP\r\n";
  ASSERT_EQ(framer.next(in).value(), Event::literal);
  EXPECT_TRUE(framer.announced().synchronizing);
  framer.refuse();
  EXPECT_TRUE(framer.idle());
  ASSERT_EQ(framer.next(in).value(), Event::frame);
  EXPECT_EQ(framer.frame().text, "b NOOP");
}

TEST(Framer, a_refused_command_is_swallowed_with_all_its_literals) {
  struct {
    std::string_view rest;
  } cases[] = {{"a B {5+}\r\n12345 c\r\n"},
               {"a B {5+}\r\n1\r\n45 {3+}\r\nb X c\r\n"},
               {"a B {0+}\r\n {0+}\r\n\r\n"},
               // The client waits for "+", but has its NO: the command is over.
               {"a B {5+}\r\n12345 {7}\r\n"}};
  for (const auto& c : cases) {
    for (size_t piece : {size_t{1}, size_t{3}, size_t{1000}}) {
      Framer framer(Side::server);
      std::string input = std::string(c.rest) + "b NOOP\r\n";
      std::vector<std::string> frames;
      for (size_t at = 0; at < input.size(); at += piece) {
        test::Exact block(std::string_view(input).substr(at, piece));
        std::string_view in = block.view();
        for (;;) {
          auto event = framer.next(in);
          ASSERT_TRUE(event.has_value());
          if (*event == Event::more) break;
          if (*event == Event::literal) framer.refuse();
          if (*event == Event::frame) frames.emplace_back(framer.frame().text);
        }
      }
      EXPECT_EQ(frames, std::vector<std::string>{"b NOOP"}) << c.rest << " in pieces of " << piece;
    }
  }
}

TEST(Framer, swallows_only_so_much) {
  Framer framer(Side::server, {.max_discard = 1000});
  std::string_view in = "a B {2000+}\r\n";
  ASSERT_EQ(framer.next(in).value(), Event::literal);
  framer.refuse();
  std::string junk(1500, 'x');
  in = junk;
  auto event = framer.next(in);
  ASSERT_FALSE(event.has_value());
  EXPECT_EQ(event.error().code, Errc::limit);
}

TEST(Framer, gives_its_memory_back) {
  Framer framer(Side::server);
  std::string_view in = "a B {3}\r\nxyz\r\n";
  while (framer.next(in).value() != Event::frame) {
  }
  framer.release();
  EXPECT_TRUE(framer.idle());
  EXPECT_TRUE(framer.text().empty());
  in = "b C\r\n";
  EXPECT_EQ(framer.next(in).value(), Event::frame);
  EXPECT_EQ(framer.frame().text, "b C");
}

}  // namespace
}  // namespace wire::imap
