#include "wire/mail/header.h"

#include <gtest/gtest.h>

namespace {

using namespace wire::mail;

std::string fields(std::string_view header) {
  std::string out;
  FieldReader reader(header);
  for (Field field; reader.next(field);) {
    out += "<" + std::string(field.name) + "=" + std::string(field.value) + ">";
  }
  return out;
}

TEST(HeaderTest, fields_are_found_as_they_stand) {
  EXPECT_EQ(fields(""), "");
  EXPECT_EQ(fields("\r\nbody: x\r\n"), "");
  EXPECT_EQ(fields("A: b\r\nC:d\r\n\r\nbody: x\r\n"), "<A= b><C=d>");
  EXPECT_EQ(fields("A: b\r\n c\r\n\td\r\nE:\r\n"), "<A= b\r\n c\r\n\td><E=>");
  EXPECT_EQ(fields("A : b\n"), "<A= b>");
  EXPECT_EQ(fields("A: b"), "<A= b>");
  EXPECT_EQ(fields("no colon\r\nA: b\r\n"), "<=no colon><A= b>");
  EXPECT_EQ(fields(" stray: continuation\r\nA: b\r\n"), "<= stray: continuation><A= b>");
  EXPECT_EQ(fields("A\r\n : b\r\n"), "<=A\r\n : b>");
  EXPECT_EQ(fields("A: b\r\n \r\n c\r\n"), "<A= b\r\n \r\n c>");
}

TEST(HeaderTest, wholes_make_up_the_header) {
  std::string_view header = "A: b\r\n c\r\nbad\r\nD:e\n\r\n";
  FieldReader reader(header);
  std::string all;
  for (Field field; reader.next(field);) all += field.whole;
  EXPECT_EQ(all + "\r\n", header);
}

TEST(HeaderTest, find_takes_the_first_in_any_case) {
  auto field = find_field("X: 1\r\nSUBJECT: a\r\nsubject: b\r\n\r\n", "Subject");
  ASSERT_TRUE(field);
  EXPECT_EQ(field->value, " a");
  EXPECT_FALSE(find_field("Subjects: a\r\n", "Subject"));
}

TEST(HeaderTest, unfolding_drops_only_line_breaks) {
  EXPECT_EQ(unfold("  a\r\n b\n\tc  "), "a b\tc  ");
  EXPECT_EQ(unfold("\r\n <a@b>"), " <a@b>");
  EXPECT_EQ(unfold(""), "");
  EXPECT_EQ(unfold("a\rb"), "a\rb");
}

TEST(HeaderTest, trim_drops_outer_space) { EXPECT_EQ(trim(" \t\r\na b\r\n "), "a b"); }

}  // namespace
