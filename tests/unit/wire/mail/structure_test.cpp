// ENVELOPE, BODY and BODYSTRUCTURE. Expected texts are what Dovecot 2.3 and Cyrus 3.6 answer, but for the case of
// names.
#include <gtest/gtest.h>

#include "tests/fuzz/mail_oracle.h"
#include "wire/mail/body_structure.h"
#include "wire/mail/envelope.h"
#include "wire/mail/imap_text.h"
#include "wire/mail/scan.h"

namespace {

using namespace wire::mail;

std::string envelope(std::string_view header) {
  std::string out;
  write_envelope(header, out);
  return out;
}

std::string structure(std::string_view message, bool extended = true, const ScanLimits& limits = {}) {
  auto result = scan(message, limits);
  std::string out;
  write_body_structure(result, out, extended);
  return out;
}

TEST(ImapTextTest, strings_are_quoted_where_that_is_allowed) {
  const std::pair<std::string, std::string> table[] = {
      {"", "\"\""},
      {"a\\b\"c", "\"a\\\\b\\\"c\""},
      {"\x01\t", "\"\x01\t\""},
      {"a\r\nb", "{4}\r\na\r\nb"},
      {"\xfc", "{1}\r\n\xfc"},
      {std::string("a\0b", 3),
       "{3}\r\na\x80"
       "b"},
      {std::string(1025, 'x'), "{1025}\r\n" + std::string(1025, 'x')},
  };
  for (const auto& [text, expected] : table) {
    std::string out;
    write_string(text, out);
    EXPECT_EQ(out, expected);
  }
}

TEST(EnvelopeTest, holds_ten_fields) {
  EXPECT_EQ(envelope("Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: s\r\nFrom: A <a@b>\r\nSender: s@t\r\n"
                     "Reply-To: r@t\r\nTo: t@u, v@w\r\nCc: g:;\r\nBcc: b@c\r\nIn-Reply-To: <x@y>\r\n\t<z@w>\r\n"
                     "Message-ID: <m@n>\r\n\r\n"),
            "(\"Mon, 1 Jan 2024 00:00:00 +0000\" \"s\" ((\"A\" NIL \"a\" \"b\")) ((NIL NIL \"s\" \"t\")) "
            "((NIL NIL \"r\" \"t\")) ((NIL NIL \"t\" \"u\")(NIL NIL \"v\" \"w\")) "
            "((NIL NIL \"g\" NIL)(NIL NIL NIL NIL)) ((NIL NIL \"b\" \"c\")) \"<x@y>\t<z@w>\" \"<m@n>\")");
}

TEST(EnvelopeTest, absent_is_NIL_and_empty_is_empty) {
  EXPECT_EQ(envelope(""), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
  EXPECT_EQ(envelope("Subject:\r\nTo:\r\nCc: (c)\r\n\r\n"), "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)");
}

TEST(EnvelopeTest, empty_sender_and_reply_to_are_From) {
  EXPECT_EQ(envelope("From: a@b\r\nReply-To: ,\r\nSender:\r\n\r\n"),
            "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)");
}

TEST(EnvelopeTest, of_repeated_strings_the_last_counts_and_addresses_add_up) {
  EXPECT_EQ(envelope("Subject: 1\r\nSubject: 2\r\nTo: a@b\r\nTo: c@d\r\n\r\n"),
            "(NIL \"2\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)");
}

TEST(EnvelopeTest, raw_bytes_are_kept) {
  EXPECT_EQ(envelope("Subject: Gr\xfc\xdf\r\n\r\n"), "(NIL {4}\r\nGr\xfc\xdf NIL NIL NIL NIL NIL NIL NIL NIL)");
}

struct StructureCase {
  const char* name;
  std::string message, extended, basic;
};
void PrintTo(const StructureCase& c, std::ostream* out) { *out << c.name; }
class StructureTest : public testing::TestWithParam<StructureCase> {};

TEST_P(StructureTest, is_written_in_both_forms) {
  EXPECT_EQ(structure(GetParam().message), GetParam().extended);
  EXPECT_EQ(structure(GetParam().message, false), GetParam().basic);
  EXPECT_EQ(tests::check_list(structure(GetParam().message)), "");
}

const std::string plain = R"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" )";

INSTANTIATE_TEST_SUITE_P(
    structure, StructureTest,
    testing::Values(
        StructureCase{"no_type", "\r\nhi\r\nho", "(" + plain + "6 1 NIL NIL NIL NIL)", "(" + plain + "6 1)"},
        StructureCase{"every_field",
                      "Content-Type: TEXT/Html; Charset=x\r\nContent-ID: <i> (c)\r\nContent-Description: a\r\n b\r\n"
                      "Content-Transfer-Encoding: 8BIT (c)\r\nContent-MD5: m \r\nContent-Disposition: inline; "
                      "filename=\"f g\"\r\nContent-Language: en, de\r\nContent-Location: u v\r\n\r\n",
                      R"x(("TEXT" "Html" ("Charset" "x") "<i> (c)" "a b" "8BIT" 0 0 "m " ("inline" )x"
                      R"x(("filename" "f g")) ("en" "de") "u v"))x",
                      R"x(("TEXT" "Html" ("Charset" "x") "<i> (c)" "a b" "8BIT" 0 0))x"},
        StructureCase{"not_text_has_no_lines", "Content-Type: image/png\n\nx\n",
                      R"(("image" "png" NIL NIL NIL "7bit" 2 NIL NIL NIL NIL))",
                      R"(("image" "png" NIL NIL NIL "7bit" 2))"},
        StructureCase{"unreadable_type_is_text", "Content-Type: garbage\n\nx", "(" + plain + "1 0 NIL NIL NIL NIL)",
                      "(" + plain + "1 0)"},
        StructureCase{"multipart",
                      "Content-Type: multipart/Mixed; boundary=b; x=y\nContent-Disposition: inline\n\n--b\n\nx\n--b\n"
                      "Content-Type: a/b\n\n--b--\n",
                      "((" + plain +
                          R"(1 0 NIL NIL NIL NIL)("a" "b" NIL NIL NIL "7bit" 0 NIL NIL NIL NIL) "Mixed" )"
                          R"(("boundary" "b" "x" "y") ("inline" NIL) NIL NIL))",
                      "((" + plain + R"(1 0)("a" "b" NIL NIL NIL "7bit" 0) "Mixed"))"},
        StructureCase{"multipart_without_parts", "Content-Type: multipart/mixed\n\nx",
                      "((" + plain + "0 0 NIL NIL NIL NIL) \"mixed\" NIL NIL NIL NIL)",
                      "((" + plain + "0 0) \"mixed\")"},
        StructureCase{"message", "Content-Type: message/rfc822\n\nSubject: s\n\nx\n",
                      R"(("message" "rfc822" NIL NIL NIL "7bit" 14 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ()" +
                          plain + "2 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)",
                      R"(("message" "rfc822" NIL NIL NIL "7bit" 14 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ()" +
                          plain + "2 1) 3)"},
        StructureCase{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: s\n\nx\n--b--\n",
                      R"((("message" "rfc822" NIL NIL NIL "7bit" 13 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ()" +
                          plain +
                          "1 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) \"digest\" (\"boundary\" \"b\") NIL NIL NIL)",
                      R"((("message" "rfc822" NIL NIL NIL "7bit" 13 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ()" +
                          plain + "1 0) 2) \"digest\")"},
        StructureCase{"multipart_in_message_in_multipart",
                      "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nContent-Type: "
                      "multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n--b\n\ny\n--b--\n",
                      R"((("message" "rfc822" NIL NIL NIL "7bit" 56 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (()" +
                          plain + R"(1 0 NIL NIL NIL NIL) "mixed" ("boundary" "c") NIL NIL NIL) 6 NIL NIL NIL NIL)()" +
                          plain + R"(1 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL))",
                      R"((("message" "rfc822" NIL NIL NIL "7bit" 56 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (()" +
                          plain + R"(1 0) "mixed") 6)()" + plain + R"(1 0) "mixed"))"}),
    [](const auto& test) { return test.param.name; });

TEST(StructureLimitTest, what_a_limit_hides_is_an_octet_stream) {
  EXPECT_EQ(structure("Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nx", false, {.depth = 1}),
            R"(("message" "rfc822" NIL NIL NIL "7bit" 31 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) )"
            R"(("application" "octet-stream" NIL NIL NIL "7bit" 1) 2))");
}

TEST(StructureLimitTest, a_hundred_levels_are_written) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "Content-Type: message/rfc822\n\n";
  EXPECT_EQ(tests::check_list(structure(text)), "");
}

}  // namespace
