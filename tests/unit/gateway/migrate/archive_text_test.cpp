#include "gateway/migrate/archive_text.h"

#include <gtest/gtest.h>

#include <random>

namespace gateway::migrate {

namespace {

// Every transformation is fed whole and byte by byte: pieces end where they like.
template <class F>
std::string in_pieces(std::string_view text, size_t piece, F&& add) {
  std::string out;
  for (size_t at = 0; at < text.size(); at += piece) add(text.substr(at, piece), out);
  return out;
}

std::string quoted(std::string_view text, Quoting::Way way, size_t piece) {
  Quoting q(way);
  std::string out = in_pieces(text, piece, [&](std::string_view p, std::string& o) { q.add(p, o); });
  q.finish(out);
  return out;
}

std::string mailed(std::string_view text, size_t piece) {
  ToMail t;
  return in_pieces(text, piece, [&](std::string_view p, std::string& o) { t.add(p, o); });
}

TEST(Quoting, AddsOneToEveryLineThatCouldBeASeparator) {
  const std::string text = "From a\n>From b\n>>From c\nFromage\n From d\nx From e\n>Fro\n>\nFrom ";
  const std::string want = ">From a\n>>From b\n>>>From c\nFromage\n From d\nx From e\n>Fro\n>\n>From ";
  for (size_t piece : {1u, 2u, 3u, 100u}) {
    EXPECT_EQ(quoted(text, Quoting::Way::quote, piece), want) << piece;
    EXPECT_EQ(quoted(want, Quoting::Way::unquote, piece), text) << piece;
  }
}

TEST(Quoting, ComesBackWhateverTheText) {
  std::mt19937 random(7);
  const std::string_view letters = ">>From \n\r.F";
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (size_t n = random() % 40; n > 0; --n) {
      if (random() % 8 == 0) {
        text += "From ";
      } else {
        text += letters[random() % letters.size()];
      }
    }
    const std::string there = quoted(text, Quoting::Way::quote, 1 + random() % 5);
    EXPECT_EQ(quoted(there, Quoting::Way::unquote, 1 + random() % 5), text);
    EXPECT_EQ(("\n" + there).find("\nFrom "), std::string::npos) << there;
  }
}

TEST(LineEnds, KnowsWhatMayBeWrittenAsUnixText) {
  const auto pure = [](std::string_view text, size_t piece) {
    LineEnds e;
    for (size_t at = 0; at < text.size(); at += piece) e.add(text.substr(at, piece));
    return e.all_crlf();
  };
  for (size_t piece : {1u, 100u}) {
    EXPECT_TRUE(pure("a\r\nb\r\n", piece));
    EXPECT_TRUE(pure("", piece));
    EXPECT_TRUE(pure("a\r\nno end", piece));
    EXPECT_FALSE(pure("a\nb\r\n", piece));
    EXPECT_FALSE(pure("a\rb\r\n", piece));
    EXPECT_FALSE(pure("a\r\r\n", piece));
    EXPECT_FALSE(pure("a\r", piece));
  }
}

TEST(LineEnds, ComeBackAsTheyWere) {
  const std::string text = "Subject: x\r\n\r\none\r\n\r\ntwo";
  ToUnix to_unix;
  std::string there;
  to_unix.add(text, there);
  EXPECT_EQ(there, "Subject: x\n\none\n\ntwo");
  for (size_t piece : {1u, 3u, 100u}) EXPECT_EQ(mailed(there, piece), text);
  EXPECT_EQ(mailed(text, 1), text) << "what is right already stays";
}

TEST(MaildirLetters, AreFlagsAndBack) {
  for (unsigned flags = 0; flags < 32; ++flags) {
    EXPECT_EQ(flags_of_letters(maildir_letters(static_cast<uint8_t>(flags))), flags);
  }
  EXPECT_EQ(maildir_letters(wire::base::seen | wire::base::flagged), "FS");
  EXPECT_EQ(flags_of_letters("PSabc"), wire::base::seen);
  EXPECT_EQ(letters_of("123.host:2,FS"), "FS");
  EXPECT_EQ(letters_of("123.host"), "");
  EXPECT_EQ(maildir_base("123.host:2,FS"), "123.host");
  EXPECT_EQ(maildir_base("123.host"), "123.host");
}

TEST(StatusHeaders, AreFlagsAndBack) {
  for (unsigned flags = 0; flags < 32; ++flags) {
    const std::string text = status_headers(static_cast<uint8_t>(flags), "\n");
    const size_t more = text.find("X-Status: ");
    const std::string status = text.substr(0, text.find('\n'));
    EXPECT_EQ(flags_of_status(status.substr(8), more == std::string::npos ? "" : text.substr(more + 10)), flags);
  }
}

TEST(SafeLevel, KeepsPlainNamesAndEncodesTheRest) {
  EXPECT_EQ(safe_level("Sent Mail"), "Sent Mail");
  EXPECT_EQ(safe_level("&AOk-t&AOk-"), "&AOk-t&AOk-");
  EXPECT_EQ(safe_level("a.b/c%"), "a%2Eb%2Fc%25");
  EXPECT_EQ(safe_level(".."), "%2E%2E");
  EXPECT_EQ(safe_level(""), "%");
  const std::string all = [] {
    std::string out;
    for (int c = 1; c < 35; ++c) out += static_cast<char>(c * 7);
    return out;
  }();
  EXPECT_EQ(from_safe_level(safe_level(all)), all);
  EXPECT_LE(safe_level(std::string(500, '.')).size(), 120u);
  EXPECT_NE(safe_level(std::string(500, 'a')), safe_level(std::string(501, 'a')));
}

TEST(Asctime, IsReadAsItIsWritten) {
  EXPECT_EQ(asctime_utc(0), "Thu Jan  1 00:00:00 1970");
  for (int64_t t : {int64_t{0}, int64_t{951782400}, int64_t{1700000000}}) {
    int64_t back = -1;
    EXPECT_TRUE(parse_asctime(asctime_utc(t), back));
    EXPECT_EQ(back, t);
  }
  int64_t back = 0;
  EXPECT_TRUE(parse_asctime("Thu Jan  1 00:00:09 MET 1970", back));
  EXPECT_EQ(back, 9);
  EXPECT_FALSE(parse_asctime("remote from monty", back));
  EXPECT_FALSE(parse_asctime("", back));
}

}  // namespace

}  // namespace gateway::migrate
