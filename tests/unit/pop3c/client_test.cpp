#include "pop3c/client.h"

#include <gtest/gtest.h>

#include <boost/asio/use_future.hpp>

#include "wire/net/connect.h"

namespace pop3c {
namespace {

constexpr Timeout patience{10'000};

TEST(Replies, are_told_apart) {
  struct Case {
    const char* line;
    Reply::Kind kind;
    const char *code, *text;
  };
  const Case cases[] = {{"+OK", Reply::Kind::ok, "", ""},
                        {"+OK hi there", Reply::Kind::ok, "", "hi there"},
                        {"+ok hi", Reply::Kind::ok, "", "hi"},
                        {"-ERR no", Reply::Kind::error, "", "no"},
                        {"-ERR [in-use] locked", Reply::Kind::error, "IN-USE", "locked"},
                        {"-ERR [broken", Reply::Kind::error, "", "[broken"},
                        {"+ ", Reply::Kind::challenge, "", ""},
                        {"+", Reply::Kind::challenge, "", ""}};
  for (const Case& c : cases) {
    const auto r = parse_reply(c.line);
    ASSERT_TRUE(r) << c.line;
    EXPECT_EQ(r->kind, c.kind) << c.line;
    EXPECT_EQ(r->code, c.code) << c.line;
    EXPECT_EQ(r->text, c.text) << c.line;
  }
  for (const char* bad : {"", "OK", "+OKAY", "* OK IMAP", "-ERROR x"}) EXPECT_FALSE(parse_reply(bad)) << bad;
}

TEST(Replies, numbers_and_ids_are_checked) {
  EXPECT_EQ(parse_stat("2 320")->octets, 320u);
  EXPECT_EQ(parse_stat("0 0")->messages, 0u);
  EXPECT_EQ(parse_stat("2 320 extra")->messages, 2u);
  for (const char* bad : {"", "2", "2 ", "x 1", "-1 5", "1 2x", "99999999999999999999999 1"})
    EXPECT_FALSE(parse_stat(bad)) << bad;
  EXPECT_EQ(parse_uidl("1 abc")->id, "abc");
  EXPECT_EQ(parse_uidl("1 abc ")->id, "abc");
  const std::string longest = "1 " + std::string(255, 'x'), too_long = longest + "x";
  EXPECT_TRUE(parse_uidl(longest));
  for (const std::string& bad :
       {std::string(""), std::string("1"), std::string("1 "), std::string("a b"), std::string("1 a b"), too_long}) {
    EXPECT_FALSE(parse_uidl(bad)) << bad;
  }
}

TEST(CapabilityLines, have_parameters) {
  Capabilities c;
  c.add_line("SASL PLAIN  LOGIN");
  c.add_line("pipelining");
  EXPECT_TRUE(c.has("PIPELINING"));
  EXPECT_FALSE(c.has("PIPE"));
  EXPECT_EQ(c.parameters("SASL"), (std::vector<std::string>{"PLAIN", "LOGIN"}));
  EXPECT_TRUE(c.parameters("UTF8").empty());
}

// What the client must send next, and what it then hears. An empty `expect`: only sends.
struct Turn {
  std::string expect, answer;
};

awaitable<void> play(wire::net::Stream& s, std::vector<Turn> turns, std::string& fault) {
  std::string pending;
  for (const Turn& t : turns) {
    while (pending.size() < t.expect.size()) {
      std::array<char, 512> bytes;
      const auto got = co_await s.read_some(bytes, patience);
      if (!got || *got == 0) {
        fault += "the client left before: " + t.expect;
        co_return;
      }
      pending.append(bytes.data(), *got);
    }
    if (!pending.starts_with(t.expect)) fault += "expected " + t.expect + " got " + pending;
    pending.erase(0, t.expect.size());
    const auto sent = co_await s.write_all(t.answer, patience);
    if (!sent) co_return;
  }
  co_await s.shutdown(patience);
}

struct Outcome {
  std::optional<Failure> opened, logged_in, listed;
  Stat stat;
  std::vector<Uidl> uidl;
};

awaitable<void> use(wire::net::StreamPtr stream, Security security, Credentials c, uint64_t last, Outcome& out) {
  Endpoint endpoint;
  endpoint.host = "localhost";
  endpoint.security = security;
  const Options options;
  auto client = co_await Client::open_on(std::move(stream), std::move(endpoint), options);
  if (!client) {
    out.opened = client.error();
    co_return;
  }
  const Result<void> in = co_await (*client)->login(std::move(c));
  if (!in) {
    out.logged_in = in.error();
    co_return;
  }
  const Result<Stat> stat = co_await (*client)->stat();
  if (stat) out.stat = *stat;
  Result<std::vector<Uidl>> uidl = co_await (*client)->uidl(last);
  if (uidl) {
    out.uidl = std::move(*uidl);
  } else {
    out.listed = uidl.error();
  }
  co_await (*client)->quit();
}

Outcome talk(std::vector<Turn> turns, std::string& fault, Security security = Security::none, std::string authzid = "",
             std::string password = "secret", uint64_t last = 3) {
  asio::io_context context(1);
  auto pair = wire::net::stream_pair(context.get_executor(), context.get_executor());
  Outcome out;
  Credentials c;
  c.user = "anna";
  c.authzid = std::move(authzid);
  c.password = std::move(password);
  auto served = asio::co_spawn(context, play(*pair->second, std::move(turns), fault), asio::use_future);
  auto used = asio::co_spawn(context, use(std::move(pair->first), security, std::move(c), last, out), asio::use_future);
  // Not run(): the wheel's timer outlives the deadlines that were not needed.
  const auto ready = [](auto& f) { return f.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
  while ((!ready(served) || !ready(used)) && context.run_one() > 0) {
  }
  served.get();
  used.get();
  return out;
}

TEST(Client, logs_in_by_user_and_pass_and_asks_one_by_one_without_pipelining) {
  std::string fault;
  const Outcome out = talk({{"", "+OK ready\r\n"},
                            {"CAPA\r\n", "+OK\r\nUSER\r\nUIDL\r\n.\r\n"},
                            {"USER anna\r\n", "+OK\r\n"},
                            {"PASS secret\r\n", "+OK\r\n"},
                            {"CAPA\r\n", "+OK\r\nUSER\r\nUIDL\r\n.\r\n"},
                            {"STAT\r\n", "+OK 3 900\r\n"},
                            {"UIDL 1\r\n", "+OK 1 aa\r\n"},
                            {"UIDL 2\r\n", "-ERR deleted\r\n"},
                            {"UIDL 3\r\n", "+OK 3 cc\r\n"},
                            {"QUIT\r\n", "+OK\r\n"}},
                           fault);
  EXPECT_EQ(fault, "");
  EXPECT_FALSE(out.opened || out.logged_in || out.listed);
  EXPECT_EQ(out.stat.octets, 900u);
  ASSERT_EQ(out.uidl.size(), 2u);
  EXPECT_EQ(out.uidl[1].id, "cc");
}

TEST(Client, acts_as_another_user_and_pipelines_where_offered) {
  std::string fault;
  const std::string capa = "+OK\r\nSASL PLAIN\r\nPIPELINING\r\n.\r\n";
  // base64 of "bert\0anna\0secret"
  const Outcome out = talk({{"", "+OK ready\r\n"},
                            {"CAPA\r\n", capa},
                            {"AUTH PLAIN\r\n", "+ \r\n"},
                            {"YmVydABhbm5hAHNlY3JldA==\r\n", "+OK\r\n"},
                            {"CAPA\r\n", capa},
                            {"STAT\r\n", "+OK 2 5\r\n"},
                            {"UIDL 1\r\nUIDL 2\r\n", "+OK 1 a\r\n+OK 2 b\r\n"},
                            {"QUIT\r\n", "+OK\r\n"}},
                           fault, Security::none, "bert", "secret", 2);
  EXPECT_EQ(fault, "");
  EXPECT_EQ(out.uidl.size(), 2u);
}

TEST(Client, a_server_without_capa_still_works) {
  std::string fault;
  const Outcome out = talk({{"", "+OK\r\n"},
                            {"CAPA\r\n", "-ERR what?\r\n"},
                            {"USER anna\r\n", "+OK\r\n"},
                            {"PASS secret\r\n", "+OK\r\n"},
                            {"CAPA\r\n", "-ERR what?\r\n"},
                            {"STAT\r\n", "+OK 0 0\r\n"},
                            {"QUIT\r\n", "+OK\r\n"}},
                           fault, Security::none, "", "secret", 0);
  EXPECT_EQ(fault, "");
  EXPECT_FALSE(out.logged_in);
}

TEST(Client, refusals_say_what_they_mean) {
  struct Case {
    const char* answer;
    Errc code;
  };
  const Case cases[] = {{"-ERR wrong\r\n", Errc::auth},
                        {"-ERR [AUTH] wrong\r\n", Errc::auth},
                        {"-ERR [IN-USE] locked\r\n", Errc::unavailable},
                        {"-ERR [SYS/TEMP] later\r\n", Errc::unavailable},
                        {"HTTP/1.1 400\r\n", Errc::malformed}};
  for (const Case& c : cases) {
    std::string fault;
    const Outcome out =
        talk({{"", "+OK\r\n"}, {"CAPA\r\n", "-ERR\r\n"}, {"USER anna\r\n", "+OK\r\n"}, {"PASS secret\r\n", c.answer}},
             fault);
    ASSERT_TRUE(out.logged_in) << c.answer;
    EXPECT_EQ(out.logged_in->code, c.code) << c.answer;
    EXPECT_EQ(out.logged_in->describe().find("secret"), std::string::npos);
  }
}

TEST(Client, no_password_without_the_tls_that_was_asked_for) {
  std::string fault;
  const Outcome out = talk({{"", "+OK\r\n"}, {"CAPA\r\n", "+OK\r\nUSER\r\n.\r\n"}}, fault, Security::stls);
  ASSERT_TRUE(out.opened);
  EXPECT_EQ(out.opened->code, Errc::refused);
}

TEST(Client, hostile_servers_and_passwords_are_bounded) {
  {
    std::string fault;
    const Outcome out = talk({{"", "+OK " + std::string(20'000, 'x')}}, fault);
    ASSERT_TRUE(out.opened);
    EXPECT_EQ(out.opened->code, Errc::limit);
  }
  {
    std::string fault, many = "+OK\r\n";
    for (int i = 0; i < 300; ++i) many += "X" + std::to_string(i) + "\r\n";
    const Outcome out = talk({{"", "+OK\r\n"}, {"CAPA\r\n", many}}, fault);
    ASSERT_TRUE(out.opened);
    EXPECT_EQ(out.opened->code, Errc::limit);
  }
  {
    std::string fault;
    const Outcome out = talk({{"", "+OK\r\n"}, {"CAPA\r\n", "-ERR\r\n"}}, fault, Security::none, "", "a\r\nDELE 1");
    ASSERT_TRUE(out.logged_in);
    EXPECT_EQ(out.logged_in->code, Errc::malformed);
  }
  {
    std::string fault;
    const Outcome out = talk({}, fault);
    ASSERT_TRUE(out.opened);
    EXPECT_EQ(out.opened->code, Errc::closed);
  }
}

}  // namespace
}  // namespace pop3c
