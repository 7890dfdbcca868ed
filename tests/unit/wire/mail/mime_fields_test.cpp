#include "wire/mail/mime_fields.h"

#include <gtest/gtest.h>

namespace {

using namespace wire::mail;

std::string show(const Parameters& parameters) {
  std::string out;
  for (const Parameter& p : parameters) out += ";" + p.name + "=" + p.value;
  return out;
}

std::string type_of(std::string_view value) {
  auto type = parse_content_type(value);
  return type ? type->type + "/" + type->subtype + show(type->parameters) : "none";
}

TEST(ContentTypeTest, is_read_leniently) {
  const std::pair<const char*, const char*> table[] = {
      {"text/plain", "text/plain"},
      {"TEXT/Plain; Charset=UTF-8; format=flowed", "TEXT/Plain;Charset=UTF-8;format=flowed"},
      {" text / plain ; a = b", "text/plain;a=b"},
      {"text/plain (comment); charset=(c)utf-8 (d)", "text/plain;charset=utf-8"},
      {"text/plain; name=\"a;b\"; x=y", "text/plain;name=a;b;x=y"},
      {"text/plain; name=\"a\\\"b\"", "text/plain;name=a\"b"},
      {"text/plain;\r\n charset=\"utf\r\n -8\"", "text/plain;charset=utf -8"},
      {"text/plain; name=a b(1).txt; x=y", "text/plain;name=a b(1).txt;x=y"},
      {"text/plain; a=b/c", "text/plain;a=b/c"},
      {"text/plain;; charset=utf-8;", "text/plain;charset=utf-8"},
      {"text/plain charset=utf-8", "text/plain"},
      {"text/plain; charset", "text/plain"},
      {"text/plain; charset=", "text/plain;charset="},
      {"text/plain; a=\"x\"y; b=c", "text/plain;a=x;b=c"},
      {"text/plain; charset=\"unclosed; a=b", "text/plain"},
      {"text/plain; name*0=a; name*1*=b; name*=c", "text/plain;name*0=a;name*1*=b;name*=c"},
      {"multipart/mixed; boundary=----=_Part/1", "multipart/mixed;boundary=----=_Part/1"},
      {"application/x-foo; name=\xfc.txt", "application/x-foo;name=\xfc.txt"},
      {"text/", "none"},
      {"/plain", "none"},
      {"text", "none"},
      {"", "none"},
      {"garbage here", "none"},
      {"text/html/foo", "none"},
      {"te xt/plain", "none"},
      {"(text/plain", "none"},
  };
  for (const auto& [value, expected] : table) EXPECT_EQ(type_of(value), expected) << value;
}

TEST(ContentTypeTest, parameters_are_bounded) {
  std::string many = "text/plain";
  for (int i = 0; i < 5000; ++i) many += ";a=b";
  EXPECT_EQ(parse_content_type(many)->parameters.size(), 500u);
}

TEST(DispositionTest, is_read_leniently) {
  auto disposition = parse_disposition(" ATTACHMENT; FileName=\"x y\"; size=3");
  ASSERT_TRUE(disposition);
  EXPECT_EQ(disposition->type + show(disposition->parameters), "ATTACHMENT;FileName=x y;size=3");
  EXPECT_FALSE(parse_disposition(""));
  EXPECT_FALSE(parse_disposition("\"attachment\""));
}

TEST(LanguageTest, lists_tags_without_comments) {
  EXPECT_EQ(parse_language("en, de (x),fr"), (std::vector<std::string>{"en", "de", "fr"}));
  EXPECT_TRUE(parse_language("(x)").empty());
  EXPECT_TRUE(parse_language("").empty());
}

TEST(TokenTest, is_the_whole_value_or_nothing) {
  EXPECT_EQ(parse_token(" BASE64 (c)"), "BASE64");
  EXPECT_EQ(parse_token("base64;"), "base64");
  EXPECT_EQ(parse_token("a b"), "");
  EXPECT_EQ(parse_token(""), "");
}

TEST(MimeFieldsTest, takes_the_first_of_each) {
  auto fields = find_mime_fields("Content-Type: a/b\r\nCONTENT-ID: <1>\r\nContent-Type: c/d\r\nContent: x\r\n\r\n");
  EXPECT_EQ(fields.type, " a/b");
  EXPECT_EQ(fields.id, " <1>");
  EXPECT_FALSE(fields.md5);
}

TEST(ParameterTest, decoding_follows_RFC_2231_and_2047) {
  const std::pair<const char*, const char*> table[] = {
      {"a/b; name=plain.txt", "plain.txt"},
      {"a/b; name*=utf-8''Gr%C3%BC%C3%9Fe.pdf", "Gr\u00fc\u00dfe.pdf"},
      {"a/b; name*=iso-8859-1'de'%FC", "\u00fc"},
      {"a/b; name*1=\"b c\"; name*0=a", "ab c"},
      {"a/b; name*0*=utf-8''%C3; name*1*=%BC; name*2=x", "\u00fcx"},
      {"a/b; name*0=a; name*2=c", "a"},
      {"a/b; NAME=\"=?utf-8?q?G=C3=BC?=\"", "G\u00fc"},
      {"a/b; name*=broken%", "broken%"},
      {"a/b; name*x=y; name=z", "z"},
      {"a/b", "none"},
  };
  for (const auto& [value, expected] : table) {
    EXPECT_EQ(decode_parameter(parse_content_type(value)->parameters, "name").value_or("none"), expected) << value;
  }
}

}  // namespace
