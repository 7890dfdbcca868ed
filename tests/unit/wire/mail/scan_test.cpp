#include "wire/mail/scan.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "tests/fuzz/mail_oracle.h"

namespace {

using namespace wire::mail;

// "multipart(leaf,message(leaf))" with each part's "header|body" for leaves.
std::string outline(const MessageScan& scan, uint32_t index = 0) {
  const Part& part = scan.parts[index];
  std::string out;
  if (part.kind == PartKind::leaf) {
    out = std::string(part.opaque ? "opaque" : "leaf") + "[" + std::string(scan.body(index)) + "]" +
          std::to_string(part.body_lines);
  } else {
    out = part.kind == PartKind::multipart ? "multipart(" : "message(";
    for (uint32_t c = part.first_child; c != no_part; c = scan.parts[c].next) {
      if (c != part.first_child) out += ",";
      out += outline(scan, c);
    }
    out += ")";
  }
  return out;
}

const std::string mixed = "Content-Type: multipart/mixed; boundary=b\n\n";
const std::string inner = "Content-Type: multipart/mixed; boundary=c\n\n";
const std::string rfc822 = "Content-Type: message/rfc822\n\n";

struct TreeCase {
  const char* name;
  std::string message;
  std::string outline;
};

void PrintTo(const TreeCase& c, std::ostream* out) { *out << c.name; }

class TreeTest : public testing::TestWithParam<TreeCase> {};

std::string with_crlf(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

std::string without_cr(std::string text) {
  std::erase(text, '\r');
  return text;
}

TEST_P(TreeTest, has_the_expected_parts_with_either_line_end) {
  auto lf = scan(GetParam().message);
  EXPECT_EQ(outline(lf), GetParam().outline);
  EXPECT_EQ(tests::check_scan(lf, {}), "");
  EXPECT_EQ(tests::compare_with_naive(lf), "");
  std::string crlf_message = with_crlf(GetParam().message);
  auto crlf = scan(crlf_message);
  EXPECT_EQ(without_cr(outline(crlf)), GetParam().outline);
  EXPECT_EQ(tests::check_scan(crlf, {}), "");
}

INSTANTIATE_TEST_SUITE_P(
    scan, TreeTest,
    testing::Values(
        TreeCase{"empty_message", "", "leaf[]0"}, TreeCase{"no_header", "\nbody\n", "leaf[body\n]1"},
        TreeCase{"header_without_empty_line", "Subject: x\n", "leaf[]0"},
        TreeCase{"no_final_newline", "Subject: x\n\nhi", "leaf[hi]0"},
        TreeCase{"preamble_and_epilogue", mixed + "pre\n--b\n\none\n--b\n\ntwo\n\n--b--\nepi\n",
                 "multipart(leaf[one]0,leaf[two\n]1)"},
        TreeCase{"never_closed", mixed + "--b\n\none\n--b\n\ntwo\n", "multipart(leaf[one]0,leaf[two\n]1)"},
        TreeCase{"no_boundary_line", mixed + "nothing\n", "multipart()"},
        TreeCase{"no_boundary_parameter", "Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n", "multipart()"},
        TreeCase{"closed_at_once", mixed + "--b--\n--b\n\nx\n", "multipart()"},
        TreeCase{"boundary_ends_a_header", mixed + "--b\nContent-Type: text/html\n--b\n\nx\n--b--\n",
                 "multipart(leaf[]0,leaf[x]0)"},
        TreeCase{"two_boundaries_in_a_row", mixed + "--b\n--b\n--b--\n", "multipart(leaf[]0,leaf[]0)"},
        TreeCase{"text_after_the_boundary", mixed + "--b \n\nx\n--b--y\n--b\n\nz\n", "multipart(leaf[x]0)"},
        TreeCase{"boundary_is_a_prefix", mixed + "--bc\n\nx\n--b--\n", "multipart(leaf[x]0)"},
        TreeCase{"boundary_in_the_middle_of_a_line", mixed + "--b\n\nx --b\n--b--\n", "multipart(leaf[x --b]0)"},
        TreeCase{"longest_boundary_wins",
                 mixed + "--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--bb--\n--b--\n",
                 "multipart(multipart(leaf[x]0))"},
        TreeCase{"outer_boundary_closes_the_inner", mixed + "--b\n" + inner + "--c\n\nx\n--b\n\ny\n--b--\n",
                 "multipart(multipart(leaf[x]0),leaf[y]0)"},
        TreeCase{"same_boundary_belongs_to_the_innermost",
                 mixed + "--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n--b\n\ny\n--b--\n",
                 "multipart(multipart(leaf[x]0),leaf[y]0)"},
        TreeCase{"embedded_message", mixed + "--b\n" + rfc822 + "From: a\n\nx\n--b--\n",
                 "multipart(message(leaf[x]0))"},
        TreeCase{"embedded_message_without_bytes", mixed + "--b\n" + rfc822 + "--b--\n", "multipart(message(leaf[]0))"},
        TreeCase{"embedded_message_cut_in_its_header", mixed + "--b\n" + rfc822 + "From: a\n--b--\n",
                 "multipart(message(leaf[]0))"},
        TreeCase{"message_cut_in_a_header_that_names_one", mixed + "--b\nContent-Type: message/rfc822\n--b--\n",
                 "multipart(message(leaf[]0))"},
        TreeCase{"message_in_message", rfc822 + rfc822 + "Subject: deep\n\nd", "message(message(leaf[d]0))"},
        TreeCase{"digest_defaults_to_message",
                 "Content-Type: multipart/digest; boundary=b\n\n--b\n\nFrom: a\n\nx\n--b\nContent-Type: text/plain\n\n"
                 "y\n--b--\n",
                 "multipart(message(leaf[x]0),leaf[y]0)"},
        TreeCase{"global_message_is_a_leaf", "Content-Type: message/global\n\nFrom: a\n\nx", "leaf[From: a\n\nx]2"},
        TreeCase{"first_content_type_counts", "Content-Type: text/html\n" + mixed + "--b\n\nx\n", "leaf[--b\n\nx\n]3"},
        TreeCase{"folded_content_type", "content-type :\n multipart/mixed;\n\tboundary=\"b\"\n\n--b\n\nx\n--b--\n",
                 "multipart(leaf[x]0)"},
        TreeCase{"empty_boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n-- \n\nx\n----\n",
                 "multipart(leaf[x]0)"}),
    [](const auto& test) { return test.param.name; });

TEST(ScanTest, the_line_break_after_an_inner_closing_boundary_stays_in_the_body) {
  // As Cyrus and Dovecot count: only an empty line there belongs to the outer boundary.
  for (const char* empty_line : {"", "\n"}) {
    std::string text = mixed + "--b\n" + inner + "--c\n\nx\n--c--\n" + empty_line + "--b--\n";
    auto result = scan(text);
    EXPECT_EQ(result.body(1), "--c\n\nx\n--c--\n");
    EXPECT_EQ(result.parts[1].body_lines, 4u);
  }
}

TEST(ScanTest, NUL_bytes_are_bytes) {
  std::string text = mixed + std::string("--b\n\na\0b\n--b--\n", 14);
  EXPECT_EQ(scan(text).body(1), std::string_view("a\0b", 3));
}

TEST(ScanTest, parts_beyond_the_depth_limit_stay_inside_an_opaque_leaf) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += rfc822;
  text += "Subject: x\n\ny";
  auto result = scan(text, {.depth = 10});
  EXPECT_EQ(result.parts.size(), 11u);
  EXPECT_TRUE(result.parts.back().opaque);
  EXPECT_EQ(tests::check_scan(result, {.depth = 10}), "");
}

TEST(ScanTest, parts_beyond_the_count_limit_are_one_opaque_leaf) {
  std::string text = mixed;
  for (int i = 0; i < 30; ++i) text += "--b\n\nx\n";
  text += "--b--\n";
  auto result = scan(text, {.parts = 5});
  ASSERT_EQ(result.parts.size(), 5u);
  EXPECT_TRUE(result.parts[4].opaque);
  EXPECT_EQ(result.parts[4].body.end, text.size());
  EXPECT_EQ(tests::check_scan(result, {.parts = 5}), "");
}

TEST(ScanTest, the_count_limit_holds_for_embedded_messages) {
  std::string text = mixed;
  for (int i = 0; i < 10; ++i) text += "--b\n" + rfc822 + "\nx\n";
  for (uint32_t limit = 1; limit < 12; ++limit) {
    auto result = scan(text, {.parts = limit});
    EXPECT_LE(result.parts.size(), limit);
    EXPECT_EQ(tests::check_scan(result, {.parts = limit}), "") << limit;
  }
}

TEST(ScanTest, a_part_with_an_oversized_header_is_an_opaque_leaf) {
  std::string text = "X: " + std::string(200, 'x') + "\n" + mixed + "--b\n\nx\n--b--\n";
  auto result = scan(text, {.header = 100});
  ASSERT_EQ(result.parts.size(), 1u);
  EXPECT_TRUE(result.parts[0].opaque);
  EXPECT_EQ(result.body(0), "--b\n\nx\n--b--\n");
}

TEST(ScanTest, random_trees_are_sound) {
  std::mt19937 random(20240205);
  const std::string_view pieces[] = {
      "--b\n",  "--b--\n",   "--c\r\n",  "--c--",
      "\n",     "\r\n",      "x",        "--",
      "X: y\n", " z\r\n",    "\r",       "Content-Type: text/plain\n",
      mixed,    inner,       rfc822,     "--bb\n",
      "--b",    "From: a\n", "--bb--\n", "Content-Type: multipart/digest; boundary=bb\r\n\r\n"};
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (size_t n = random() % 30; n > 0; --n) text += pieces[random() % std::size(pieces)];
    ScanLimits limits;
    if (i % 3 == 0) limits = {.depth = 3, .parts = 6, .header = 60};
    auto result = scan(text, limits);
    ASSERT_EQ(tests::check_scan(result, limits), "") << text;
    if (i % 3 != 0) {
      ASSERT_EQ(tests::compare_with_naive(result), "") << text;
    }
  }
}

// Time of a scan of `repeat` copies of a piece after a start; a bound against anything worse than linear, far above
// what a sanitised build on a busy machine takes.
struct HostileCase {
  const char* name;
  std::string start, piece;
};
void PrintTo(const HostileCase& c, std::ostream* out) { *out << c.name; }
class HostileTest : public testing::TestWithParam<HostileCase> {};

TEST_P(HostileTest, takes_time_in_proportion_to_its_length) {
  auto text_of = [&](size_t octets) {
    std::string text = GetParam().start;
    while (text.size() < octets) text += GetParam().piece;
    return text;
  };
  auto seconds = [](const std::string& text) {
    auto from = std::chrono::steady_clock::now();
    EXPECT_LE(scan(text).parts.size(), 10'000u);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
  };
  std::string small = text_of(200'000), large = text_of(3'200'000);
  double base = std::min({seconds(small), seconds(small), seconds(small)});
  // 16 times the input: quadratic would be 256 times.
  EXPECT_LT(seconds(large), base * 100 + 0.05);
}

INSTANTIATE_TEST_SUITE_P(
    scan, HostileTest,
    testing::Values(HostileCase{"many_parts", mixed, "--b\n\nx\n"}, HostileCase{"nested_messages", "", rfc822},
                    HostileCase{"nested_multiparts", "", mixed + "--b\n"}, HostileCase{"long_header", "X: y", "\n z"},
                    HostileCase{"many_fields", "", "X: y\n"}, HostileCase{"dashes", mixed, "--\n"},
                    HostileCase{"unclosed_quotes", "Content-Type: text/plain", "; x \\\""},
                    HostileCase{"parameters", "Content-Type: multipart/mixed", ";a=b"},
                    HostileCase{"near_boundaries",
                                "Content-Type: multipart/mixed; boundary=" + std::string(900, 'a') + "\n\n",
                                "--" + std::string(899, 'a') + "\n"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
