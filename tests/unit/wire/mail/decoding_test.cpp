// Transfer encodings, charsets, encoded words and dates.
#include <gtest/gtest.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <vector>

#include "wire/mail/charset.h"
#include "wire/mail/date.h"
#include "wire/mail/encoded_word.h"
#include "wire/mail/fold.h"
#include "wire/mail/transfer.h"

namespace {

using namespace wire::mail;

TEST(TransferTest, encodings_are_known_by_name) {
  EXPECT_EQ(transfer_encoding(" Base64 (c)"), TransferEncoding::base64);
  EXPECT_EQ(transfer_encoding("QUOTED-PRINTABLE"), TransferEncoding::quoted_printable);
  EXPECT_EQ(transfer_encoding("8bit"), TransferEncoding::identity);
  EXPECT_EQ(transfer_encoding(""), TransferEncoding::identity);
  EXPECT_EQ(transfer_encoding("x-uuencode"), TransferEncoding::unknown);
}

TEST(TransferTest, base64_skips_what_does_not_belong) {
  const std::pair<const char*, const char*> table[] = {
      {"aGVsbG8=", "hello"},
      {"aGVs\r\nbG8=\r\n", "hello"},
      {"aGVsbG8", "hello"},
      {"a*G!V s-b_G8=", "hello"},
      {"", ""},
      {"=", ""},
      {"aA==aQ==", "hi"},
      {"a", ""},
  };
  for (const auto& [text, expected] : table) EXPECT_EQ(decode_base64(text, 100), expected) << text;
  EXPECT_EQ(decode_base64("aGVsbG8=", 2), "he");
}

TEST(TransferTest, quoted_printable_is_tolerant) {
  const std::pair<const char*, const char*> table[] = {
      {"a=3Db", "a=b"},
      {"a=3db=C3=BC", "a=b\u00fc"},
      {"soft=\r\nbreak\r\nhard", "softbreak\r\nhard"},
      {"soft= \t\r\nbreak", "softbreak"},
      {"bare=\nlf\n", "barelf\r\n"},
      {"trailing  \r\n", "trailing\r\n"},
      {"bad=zz=", "bad=zz"},
      {"=", ""},
      {"a_b", "a_b"},
      {"", ""},
  };
  for (const auto& [text, expected] : table) EXPECT_EQ(decode_quoted_printable(text, 100), expected) << text;
  EXPECT_EQ(decode_quoted_printable("a_b=20", 100, true), "a b ");
  EXPECT_EQ(decode_quoted_printable("abcdef", 3), "abc");
}

TEST(CharsetTest, text_becomes_UTF_8) {
  EXPECT_EQ(to_utf8("Gr\xfc\xdf"
                    "e",
                    "iso-8859-1"),
            "Gr\u00fc\u00dfe");
  EXPECT_EQ(to_utf8("\x93x\x94", "ISO-8859-1"), "\u201cx\u201d");
  EXPECT_EQ(to_utf8("\xcf\xf0\xe8", "windows-1251"), "\u041f\u0440\u0438");
  EXPECT_EQ(to_utf8("\x1b$B$3$s\x1b(B", "iso-2022-jp"), "\u3053\u3093");
  EXPECT_EQ(to_utf8("\xd6\xd0", "gb2312"), "\u4e2d");
  EXPECT_EQ(to_utf8("x\xff", "utf-8"), "x\uFFFD");
  EXPECT_EQ(to_utf8("\xfc", ""), "\u00fc");
  EXPECT_EQ(to_utf8("\xc3\xbc", ""), "\u00fc");
  EXPECT_EQ(to_utf8("\xfc", "no-such-charset"), "\u00fc");
  EXPECT_EQ(to_utf8("plain", "no-such-charset"), "plain");
  EXPECT_TRUE(known_charset("KOI8-R"));
  EXPECT_FALSE(known_charset("no-such-charset"));
  EXPECT_FALSE(known_charset(std::string(5000, 'x')));
  EXPECT_FALSE(known_charset(""));
}

TEST(CharsetTest, UTF_8_is_validated) {
  for (const char* good : {"", "a", "\u00fc", "\u20ac", "\U0001f600"}) EXPECT_TRUE(valid_utf8(good)) << good;
  for (const char* bad :
       {"\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff", "\xf0\x80\x80\x80"}) {
    EXPECT_FALSE(valid_utf8(bad));
  }
}

TEST(CharsetTest, folding_ignores_case_and_compatibility_forms) {
  const std::pair<const char*, const char*> same[] = {
      {"Gr\u00fc\u00dfe", "gR\u00dc\u00dfE"},
      {"\u041f\u0440\u0438", "\u043f\u0440\u0438"},
      {"e\u0301", "\u00c9"},
      {"\u00b2x", "2X"},
      {"\ufb01ne", "FINE"},
      {"x\u0323\u0307", "X\u0307\u0323"},
      {"\uff21", "a"},
      {"\u03c3", "\u03a3"},
      {"a \r\n\t b", "A B"},
      {"", ""},
  };
  for (const auto& [a, b] : same) EXPECT_EQ(fold(a), fold(b)) << a;
  EXPECT_NE(fold("a"), fold("b"));
  EXPECT_NE(fold("\u00fc"), fold("\u00e4"));
  EXPECT_TRUE(contains(fold("Viele Gr\u00fc\u00dfe!"), fold("GR\u00dc\u00dfe")));
  EXPECT_TRUE(contains(fold("two\r\n  words"), fold("TWO WORDS")));
  EXPECT_FALSE(contains(fold("abc"), fold("abd")));
  EXPECT_TRUE(contains("", ""));
}

// The definition, slowly: all of it by ICU, none of it character by character.
std::string folded_as_defined(const icu::UnicodeString& text) {
  icu::UnicodeString titled;
  for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) titled.append(u_totitle(text.char32At(i)));
  UErrorCode status = U_ZERO_ERROR;
  const icu::UnicodeString decomposed = icu::Normalizer2::getNFKDInstance(status)->normalize(titled, status);
  EXPECT_TRUE(U_SUCCESS(status));
  std::string utf8, out;
  decomposed.toUTF8String(utf8);
  for (char c : utf8) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c >= '\t' && c <= '\r') c = ' ';
    if (c != ' ' || !out.ends_with(' ')) out += c;
  }
  return out;
}

TEST(Folding, gives_every_character_its_form) {
  for (UChar32 c = 1; c <= 0x10FFFF; ++c) {
    if (U_IS_SURROGATE(c)) continue;
    const icu::UnicodeString text(c);
    std::string utf8;
    text.toUTF8String(utf8);
    ASSERT_EQ(fold(utf8), folded_as_defined(text)) << std::hex << c;
  }
}

TEST(Folding, puts_marks_of_a_run_in_their_order) {
  uint32_t seed = 7;
  const auto pick = [&seed](uint32_t n) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 16) % n;
  };
  // Marks of several classes, characters that decompose into them or begin with one, jamo, ASCII between.
  const UChar32 from[] = {0x301,  0x323, 0x307,  0x5b0,  0x5bc, 0x94d, 0x93c, 0xe48,  0xe38,   0x344,   0xe9,
                          0x1ee5, 0x37a, 0xac01, 0x11a8, 'a',   ' ',   0xa0,  0xfb01, 0x1d15e, 0x1f600, 0xfdfa};
  for (int i = 0; i < 50'000; ++i) {
    icu::UnicodeString text;
    for (uint32_t n = pick(9); n > 0; --n) text.append(from[pick(std::size(from))]);
    std::string utf8;
    text.toUTF8String(utf8);
    ASSERT_EQ(fold(utf8), folded_as_defined(text)) << utf8;
  }
}

TEST(Folding, of_ascii_does_not_depend_on_where_it_stands) {
  uint32_t seed = 3;
  const auto pick = [&seed](uint32_t n) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 16) % n;
  };
  for (int i = 0; i < 50'000; ++i) {
    std::string text(pick(40), '\0');
    for (char& c : text) c = pick(3) == 0 ? "  \r\n\t\v"[pick(6)] : static_cast<char>(1 + pick(127));
    const std::vector<char> exact(text.begin(), text.end());  // nothing behind its end may be read
    ASSERT_EQ(fold({exact.data(), exact.size()}), folded_as_defined(icu::UnicodeString::fromUTF8(text))) << text;
  }
}

TEST(Folding, of_a_long_run_of_marks_is_a_sort) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "\u0301";
  for (int i = 0; i < 200'000; ++i) text += "\u0323";
  const std::string folded = fold(text);
  EXPECT_EQ(folded.size(), text.size());
  EXPECT_TRUE(folded.starts_with("\u0323\u0323") && folded.ends_with("\u0301\u0301"));
}

TEST(Folding, of_bytes_that_are_no_character_goes_on) {
  EXPECT_EQ(fold("a\xff\u00e9"), "A\ufffdE\u0301");
  EXPECT_EQ(fold("\xc3"), "\ufffd");
}

TEST(CharsetTest, a_shift_is_no_plain_text_whatever_the_charset_is_called) {
  EXPECT_EQ(to_utf8("\x1b$B$3$s\x1b(B", "csISO2022JP"), "\u3053\u3093");
  EXPECT_EQ(to_utf8("a\x1b[31m", "us-ascii"), "a\x1b[31m");
  EXPECT_EQ(to_utf8("a\x1b[31m", "utf-8"), "a\x1b[31m");
}

TEST(Folding, appends_and_leaves_what_is_there) {
  std::string out = "as it is ";
  fold_to(out, " x\r\ny");
  fold_to(out, "\u00e9");
  EXPECT_EQ(out, "as it is  X YE\u0301");
}

TEST(Contains, finds_what_a_plain_search_finds) {
  uint32_t seed = 1;
  const auto pick = [&seed](uint32_t n) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 16) % n;
  };
  const auto word = [&pick](uint32_t longest) {
    std::string s;
    for (uint32_t n = pick(longest); n > 0; --n) s += "AE Z"[pick(4)];
    return s;
  };
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = word(20), needle = word(5);
    const std::vector<char> exact(text.begin(), text.end());  // nothing behind its end may be read
    const std::string_view haystack(exact.data(), exact.size());
    ASSERT_EQ(contains(haystack, needle), text.find(needle) != std::string::npos) << text << " / " << needle;
  }
}

TEST(EncodedWordTest, decoding_follows_RFC_2047) {
  const std::pair<const char*, const char*> table[] = {
      {"plain", "plain"},
      {"=?utf-8?Q?G=C3=BC?=", "G\u00fc"},
      {"=?UTF-8?b?R8O8?=", "G\u00fc"},
      {"=?iso-8859-1*de?q?a_b=FC?=", "a b\u00fc"},
      {"a =?utf-8?q?b?= c", "a b c"},
      {"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
      {"=?utf-8?q?a?=\r\n =?iso-8859-1?q?b?=", "ab"},
      {"=?utf-8?q?a?=  x  =?utf-8?q?b?=", "a  x  b"},
      {"=?utf-8?b?w7w=?= =?utf-8?b?w7w=?=", "\u00fc\u00fc"},
      {"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\u00fc"},
      {"=?utf-8?q?a b?=", "a b"},
      {"=?utf-8?x?a?=", "=?utf-8?x?a?="},
      {"=?utf-8?q?a", "=?utf-8?q?a"},
      {"=?=?utf-8?q?a?=", "=?a"},
      {"a\r\n b", "a   b"},
      {"raw \xfc", "raw \u00fc"},
      {"", ""},
  };
  for (const auto& [text, expected] : table) EXPECT_EQ(decode_header_text(text), expected) << text;
}

std::string date(std::string_view value) {
  auto parsed = parse_date_header(value);
  if (!parsed) return "none";
  return std::to_string(parsed->year) + "-" + std::to_string(parsed->month) + "-" + std::to_string(parsed->day) + " " +
         std::to_string(parsed->at.seconds) + " " + std::to_string(parsed->at.zone_minutes);
}

TEST(DateTest, forms_found_in_mail_are_read) {
  const std::pair<const char*, const char*> table[] = {
      {" Mon, 05 Feb 2024 10:11:12 +0100 (CET)", "2024-2-5 1707124272 60"},
      {"5 Feb 2024 10:11 -0530", "2024-2-5 1707147660 -330"},
      {"Mon Feb  5 10:11:12 2024", "2024-2-5 1707127872 0"},
      {"Mon, 5-Feb-24 10:11:12 GMT", "2024-2-5 1707127872 0"},
      {"5 Feb 99 00:00:00 EST", "1999-2-5 918190800 -300"},
      {"1 Jan 1970 00:00:00 +0000", "1970-1-1 0 0"},
      {"29 Feb 2000 23:59:60 Z", "2000-2-29 951868800 0"},
      {"(comment) 1 March 2024", "2024-3-1 1709251200 0"},
      {"1 Jan 2024 99:00:00 +0000", "2024-1-1 1704067200 0"},
      {"1 Jan 2024 10:00:00 +9999", "2024-1-1 1704103200 0"},
      {"yesterday at noon", "none"},
      {"32 Jan 2024", "none"},
      {"", "none"},
      {"1 2024", "none"},
      {"Jan 99999999999", "none"},
  };
  for (const auto& [value, expected] : table) EXPECT_EQ(date(value), expected) << value;
}

TEST(DateTest, day_numbers_compare_as_dates_without_regard_to_the_zone) {
  auto day = [](const char* value) { return parse_date_header(value)->day_number(); };
  EXPECT_EQ(day("1 Jan 2024 23:00:00 -0500"), day("1 Jan 2024 01:00:00 +0500"));
  EXPECT_LT(day("31 Jan 2024"), day("1 Feb 2024"));
  EXPECT_LT(day("31 Dec 2023"), day("1 Jan 2024"));
}

}  // namespace
