#include "wire/mail/section.h"

#include <gtest/gtest.h>

#include "wire/mail/scan.h"

namespace {

using namespace wire::mail;

// 1 text, 2 message (2.1 text, 2.2 html), 3 message with a single text, 4 multipart without parts.
const std::string message =
    "Subject: top\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nX: 1\r\n\r\none\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: two\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    "--c\r\n\r\nplain\r\n--c\r\nContent-Type: text/html\r\n\r\nhtml\r\n--c--\r\n"
    "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: three\r\n\r\nlone"
    "\r\n--b\r\nContent-Type: multipart/mixed\r\n\r\nlost\r\n--b--\r\n";

std::string get(SectionSpec spec) {
  auto result = scan(message);
  std::string store;
  auto bytes = section_bytes(result, spec, store);
  return bytes ? std::string(*bytes) : "NIL";
}

const std::string inner_header = "Subject: two\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n";
const std::string inner_text = "--c\r\n\r\nplain\r\n--c\r\nContent-Type: text/html\r\n\r\nhtml\r\n--c--\r\n";

TEST(SectionTest, paths_and_kinds_name_ranges) {
  using enum SectionKind;
  size_t top_end = message.find("\r\n\r\n") + 4;
  EXPECT_EQ(get({{}, whole, {}}), message);
  EXPECT_EQ(get({{}, header, {}}), message.substr(0, top_end));
  EXPECT_EQ(get({{}, text, {}}), message.substr(top_end));
  EXPECT_EQ(get({{1}, whole, {}}), "one");
  EXPECT_EQ(get({{1}, mime, {}}), "X: 1\r\n\r\n");
  EXPECT_EQ(get({{2}, whole, {}}), inner_header + inner_text);
  EXPECT_EQ(get({{2}, mime, {}}), "Content-Type: message/rfc822\r\n\r\n");
  EXPECT_EQ(get({{2}, header, {}}), inner_header);
  EXPECT_EQ(get({{2}, text, {}}), inner_text);
  EXPECT_EQ(get({{2, 1}, whole, {}}), "plain");
  EXPECT_EQ(get({{2, 2}, whole, {}}), "html");
  EXPECT_EQ(get({{2, 2}, mime, {}}), "Content-Type: text/html\r\n\r\n");
  EXPECT_EQ(get({{3, 1}, whole, {}}), "lone");
  EXPECT_EQ(get({{3, 1}, mime, {}}), "Subject: three\r\n\r\n");
  EXPECT_EQ(get({{3}, text, {}}), "lone");
}

TEST(SectionTest, what_is_not_there_is_NIL) {
  using enum SectionKind;
  EXPECT_EQ(get({{}, mime, {}}), "NIL");
  EXPECT_EQ(get({{0}, whole, {}}), "NIL");
  EXPECT_EQ(get({{5}, whole, {}}), "NIL");
  EXPECT_EQ(get({{1, 1}, whole, {}}), "NIL");
  EXPECT_EQ(get({{1}, header, {}}), "NIL");
  EXPECT_EQ(get({{1}, text, {}}), "NIL");
  EXPECT_EQ(get({{2, 3}, whole, {}}), "NIL");
  EXPECT_EQ(get({{3, 2}, whole, {}}), "NIL");
  EXPECT_EQ(get({{3, 1, 1}, whole, {}}), "NIL");
  EXPECT_EQ(get({{4294967295u}, whole, {}}), "NIL");
}

TEST(SectionTest, the_empty_part_of_a_multipart_without_parts_is_empty) {
  using enum SectionKind;
  EXPECT_EQ(get({{4}, whole, {}}), "lost");
  EXPECT_EQ(get({{4, 1}, whole, {}}), "");
  EXPECT_EQ(get({{4, 1}, mime, {}}), "");
  EXPECT_EQ(get({{4, 2}, whole, {}}), "NIL");
}

TEST(SectionTest, a_message_that_is_no_multipart_has_part_one) {
  std::string text = "Subject: x\r\n\r\nbody";
  auto result = scan(text);
  uint32_t path[] = {1};
  EXPECT_EQ(find_section(result, path, SectionKind::whole)->of(text), "body");
  EXPECT_EQ(find_section(result, path, SectionKind::mime)->of(text), "Subject: x\r\n\r\n");
  EXPECT_FALSE(find_section(result, path, SectionKind::header));
  EXPECT_EQ(find_section(result, {}, SectionKind::text)->of(text), "body");
}

TEST(SectionTest, fields_are_selected_unchanged_and_end_with_an_empty_line) {
  std::string_view header = "From: a\r\nX:y\r\n folded\r\nSubject : q\r\nFROM: two\r\nbad line\r\n\r\n";
  std::vector<std::string> names = {"from", "SUBJECT"};
  EXPECT_EQ(select_fields(header, names, true), "From: a\r\nSubject : q\r\nFROM: two\r\n\r\n");
  EXPECT_EQ(select_fields(header, names, false), "X:y\r\n folded\r\nbad line\r\n\r\n");
  EXPECT_EQ(select_fields("From: a", names, true), "From: a\r\n\r\n");
  EXPECT_EQ(select_fields("", names, true), "\r\n");
  EXPECT_EQ(get({{2}, SectionKind::header_fields, {"subject"}}), "Subject: two\r\n\r\n");
  EXPECT_EQ(get({{2}, SectionKind::header_fields_not, {"subject"}}),
            "Content-Type: multipart/alternative; boundary=c\r\n\r\n");
  EXPECT_EQ(get({{1}, SectionKind::header_fields, {"subject"}}), "NIL");
}

}  // namespace
