#include "wire/mail/search_text.h"

#include <gtest/gtest.h>

#include "wire/mail/fold.h"
#include "wire/mail/scan.h"

namespace {

using namespace wire::mail;

const std::string message =
    "From: =?iso-8859-1?q?J=F6rg?= <joerg@example.net>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n aus M\xfcnchen\r\n"
    "X-Empty:\r\nReceived: one\r\nReceived: two\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble text\r\n"
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nw4RwZmVs\r\n"
    "--b\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "<p>gr=FCn and so=\r\nft</p>\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?Inneres?=\r\n\r\nembedded body\r\n"
    "--b\r\nContent-Type: application/pdf; name*=utf-8''R%C3%A9sum%C3%A9.pdf\r\n\r\nbinary bytes\r\n--b--\r\n";

bool in_text(const char* needle) { return text_contains(scan(message), fold(needle)); }
bool in_body(const char* needle) { return body_contains(scan(message), fold(needle)); }

TEST(SearchTextTest, header_fields_are_decoded_and_folded) {
  auto result = scan(message);
  auto header = result.header(0);
  EXPECT_TRUE(field_contains(header, "subject", fold("GR\u00dc\u00dfe aus m\u00fcnchen")));
  EXPECT_TRUE(field_contains(header, "FROM", fold("j\u00f6rg")));
  EXPECT_TRUE(field_contains(header, "received", fold("TWO")));
  EXPECT_FALSE(field_contains(header, "received", fold("one two")));
  EXPECT_TRUE(field_contains(header, "x-empty", ""));
  EXPECT_FALSE(field_contains(header, "x-absent", ""));
  EXPECT_FALSE(field_contains(header, "to", fold("j\u00f6rg")));
  EXPECT_EQ(folded_field(header, "received"), "ONE\nTWO");
  EXPECT_EQ(folded_field(header, "x-absent"), "");
}

TEST(SearchTextTest, text_parts_are_decoded_and_others_skipped) {
  EXPECT_TRUE(in_body("\u00e4pfel"));
  EXPECT_TRUE(in_body("GR\u00dcN"));
  EXPECT_TRUE(in_body("soft"));
  EXPECT_TRUE(in_body("embedded BODY"));
  EXPECT_TRUE(in_body("inneres"));
  EXPECT_TRUE(in_body("r\u00e9sum\u00e9.pdf"));
  EXPECT_FALSE(in_body("binary bytes"));
  EXPECT_FALSE(in_body("w4RwZmVs"));
}

TEST(SearchTextTest, only_TEXT_looks_at_the_messages_own_header) {
  EXPECT_TRUE(in_text("Gr\u00fc\u00dfe aus"));
  EXPECT_FALSE(in_body("Gr\u00fc\u00dfe aus"));
  EXPECT_TRUE(in_text("embedded"));
  EXPECT_FALSE(in_text("not there at all"));
  EXPECT_TRUE(in_body(""));
}

TEST(SearchTextTest, decoded_output_is_bounded) {
  std::string text = "\r\n" + std::string(1000, 'x') + "needle";
  EXPECT_FALSE(body_contains(scan(text), "NEEDLE", {.part_output = 1000}));
  EXPECT_TRUE(body_contains(scan(text), "NEEDLE", {.part_output = 1006}));
}

TEST(SearchTextTest, visiting_stops_when_told) {
  int visits = 0;
  for_each_text(scan(message), true, {}, [&](std::string_view) { return ++visits < 2; });
  EXPECT_EQ(visits, 2);
}

}  // namespace
