#include "wire/mail/address.h"

#include <gtest/gtest.h>

#include <chrono>

namespace {

using wire::mail::parse_address_list;

// name|route|mailbox|host for each, "-" for an absent string.
std::string show(std::string_view value, size_t max = 10'000) {
  std::string out;
  for (const auto& a : parse_address_list(value, max)) {
    if (!out.empty()) out += "; ";
    out +=
        a.name.value_or("-") + "|" + a.route.value_or("-") + "|" + a.mailbox.value_or("-") + "|" + a.host.value_or("-");
  }
  return out;
}

TEST(AddressTest, well_formed_lists_are_read_as_servers_read_them) {
  const std::pair<const char*, const char*> table[] = {
      {"", ""},
      {"a@b, c@d", "-|-|a|b; -|-|c|d"},
      {"\"x, y\" <a@b>", "x, y|-|a|b"},
      {"x (y) z <a@b>", "x z|-|a|b"},
      {"a@b (comment (nested) c)", "comment (nested) c|-|a|b"},
      {"x <a@b> (c)", "x|-|a|b"},
      {"<@r1,@r2:u@h>", "-|@r1,@r2|u|h"},
      {"grp: a@b, c@d;", "-|-|grp|-; -|-|a|b; -|-|c|d; -|-|-|-"},
      {"undisclosed-recipients:;", "-|-|undisclosed-recipients|-; -|-|-|-"},
      {"\"q\\\"uo\\\\te\" <a@b>", "q\"uo\\te|-|a|b"},
      {"\"a b\"@c.d", "-|-|a b|c.d"},
      {"x <\"a b\"@c>", "x|-|a b|c"},
      {"John Q. Public <jqp@x.y>", "John Q. Public|-|jqp|x.y"},
      {"=?utf-8?q?G=C3=BC?= <a@b>", "=?utf-8?q?G=C3=BC?=|-|a|b"},
      {"a@[1.2.3.4]", "-|-|a|[1.2.3.4]"},
      {"first\r\n\tlast <a@b>,\r\n \"x\r\n y\" <c@d>", "first last|-|a|b; x y|-|c|d"},
      {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete|-|pete|silly.test"},
      {"A Group(Some people):Chris <c@(his host.)public.example>, John <j@one.test> (friend); (the end)",
       "-|-|A Group|-; Chris|-|c|public.example; John|-|j|one.test; -|-|-|-"},
      {"\"\" <a@b>", "-|-|a|b"},
      {"'x' <a@b>", "'x'|-|a|b"},
      {"x\t y  z <a@b>", "x y z|-|a|b"},
      {"\"a@b\" <c@d>", "a@b|-|c|d"},
      {"(just a comment)", ""},
      {"g:a@b", "-|-|g|-; -|-|a|b; -|-|-|-"},
      {": ", "-|-||-; -|-|-|-"},
  };
  for (const auto& [value, expected] : table) EXPECT_EQ(show(value), expected) << value;
}

TEST(AddressTest, malformed_ones_keep_what_can_be_told) {
  const std::pair<const char*, const char*> table[] = {
      {"foo", "-|-|foo|MISSING_DOMAIN"},
      {"foo bar", "foo bar|-|MISSING_MAILBOX|MISSING_DOMAIN"},
      {"foo, bar <b@c>", "-|-|foo|MISSING_DOMAIN; bar|-|b|c"},
      {"x <>", "x|-|MISSING_MAILBOX|MISSING_DOMAIN"},
      {"foo@", "-|-|foo|MISSING_DOMAIN"},
      {"@bar", "-|-|MISSING_MAILBOX|bar"},
      {"a . b @ c . d", "-|-|a.b|c.d"},
      {"a@b c@d", "-|-|a|b"},
      {"foo <a@b> bar, c@d", "foo|-|a|b; -|-|c|d"},
      {"u@h; v@w", "-|-|u|h; -|-|v|w"},
      {",,a@b,,", "-|-|a|b"},
      {"<a@b", "-|-|a|b"},
      {"<a@b, c@d", "-|-|a|b; -|-|c|d"},
      {"a@b>", "-|-|a|b"},
      {"\"unclosed <a@b>", "unclosed|-|a|b"},
      {"a@b <c@d>", "a@b|-|c|d"},
      {"foo@bar@baz", "-|-|foo|bar@baz"},
      {"<a b@c>", "-|-|a b|c"},
      {"M\xfcller <m@b>", "M\xfcller|-|m|b"},
      {"mailto:foo@bar", "-|-|mailto|-; -|-|foo|bar; -|-|-|-"},
      {";", ""},
      {"(", ""},
      {"\"", ""},
      {"<", "-|-|MISSING_MAILBOX|MISSING_DOMAIN"},
  };
  for (const auto& [value, expected] : table) EXPECT_EQ(show(value), expected) << value;
}

TEST(AddressTest, stops_at_the_limit) {
  std::string many;
  for (int i = 0; i < 50; ++i) many += "a@b,";
  EXPECT_EQ(parse_address_list(many, 7).size(), 7u);
}

TEST(AddressTest, hostile_lists_take_time_in_proportion_to_their_length) {
  for (std::string piece : {"<@,", "\"", "\"\\\"", "(", "<", "[", "a@", "a:", "\\", "()", " . ", "<@a:", "@,"}) {
    std::string text;
    while (text.size() < 1'000'000) text += piece;
    auto from = std::chrono::steady_clock::now();
    parse_address_list(text);
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
    // Quadratic would be minutes.
    EXPECT_LT(seconds, 10) << piece;
  }
}

}  // namespace
