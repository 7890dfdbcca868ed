#include "gateway/migrate/sieve.h"

#include <gtest/gtest.h>

#include "tests/support/run.h"
#include "tests/support/scripted_stream.h"

namespace gateway::migrate {

namespace {

using storage::Errc;
using tests::support::ScriptedStream;

// Base64 of "anna" NUL "proxy" NUL "secret".
constexpr const char* login_line = "AUTHENTICATE \"PLAIN\" \"YW5uYQBwcm94eQBzZWNyZXQ=\"\r\n";
constexpr const char* hello =
    "\"IMPLEMENTATION\" \"Cyrus timsieved v3.6\"\r\n\"SASL\" \"PLAIN LOGIN\"\r\n\"SIEVE\" \"fileinto\"\r\nOK\r\n";

class Sieve : public testing::Test {
 protected:
  Sieve() : script(std::make_unique<ScriptedStream>(context.get_executor(), &record)) {
    wire::net::Wheel::of(context.get_executor()).use_manual_clock();
  }
  wire::base::Result<std::vector<SieveScript>> list() {
    SieveLogin login;
    login.authzid = "anna";
    login.authcid = "proxy";
    login.password = control::Secret("secret");
    return tests::support::run(context, list_scripts(std::move(script), security, std::move(login)));
  }
  asio::io_context context;
  ScriptedStream::Record record;
  std::unique_ptr<ScriptedStream> script;
  SieveSecurity security;
};

TEST_F(Sieve, NamesTheActiveScript) {
  script->supply(hello).expect(login_line).supply("OK \"Logged in.\"\r\n").expect("LISTSCRIPTS\r\n");
  script->supply("\"old \\\"rules\\\"\"\r\n{8}\r\nvacation ACTIVE\r\nOK\r\n").expect("LOGOUT\r\n");
  auto scripts = list();
  ASSERT_TRUE(scripts) << scripts.error().describe() << record.mismatch;
  ASSERT_EQ(scripts->size(), 2u);
  EXPECT_EQ((*scripts)[0].name, "old \"rules\"");
  EXPECT_FALSE((*scripts)[0].active);
  EXPECT_EQ((*scripts)[1].name, "vacation");
  EXPECT_TRUE((*scripts)[1].active);
}

TEST_F(Sieve, ReadsAnswersThatComeByteByByte) {
  script->break_reads(1);
  script->supply(hello).expect(login_line).supply("OK (WARNINGS) {2+}\r\nhi\r\n").expect("LISTSCRIPTS\r\n");
  script->supply("OK\r\n").expect("LOGOUT\r\n");
  auto scripts = list();
  ASSERT_TRUE(scripts) << scripts.error().describe() << record.mismatch;
  EXPECT_TRUE(scripts->empty());
}

TEST_F(Sieve, ARefusedLoginIsNoEmptyList) {
  script->supply(hello).expect(login_line).supply("NO \"Authentication Error\"\r\n");
  auto scripts = list();
  ASSERT_FALSE(scripts);
  EXPECT_EQ(scripts.error().code, Errc::auth);
}

TEST_F(Sieve, NoPasswordGoesOutWithoutTheTlsThatIsDemanded) {
  security.demand_tls = true;
  script->supply(hello);
  auto scripts = list();
  ASSERT_FALSE(scripts);
  EXPECT_EQ(scripts.error().code, Errc::unsupported);
  EXPECT_EQ(record.mismatch, "");
}

TEST_F(Sieve, StartsTlsWhereOfferedAndReadsTheCapabilitiesAgain) {
  security.demand_tls = true;
  security.verify = false;
  script->supply("\"SASL\" \"\"\r\n\"STARTTLS\"\r\nOK\r\n").expect("STARTTLS\r\n").supply("OK\r\n").start_tls();
  script->supply(hello).expect(login_line).supply("OK\r\n").expect("LISTSCRIPTS\r\n");
  script->supply("\"a\" ACTIVE\r\nOK\r\n").expect("LOGOUT\r\n");
  auto scripts = list();
  ASSERT_TRUE(scripts) << scripts.error().describe() << record.mismatch;
  ASSERT_EQ(scripts->size(), 1u);
  EXPECT_TRUE(scripts->front().active);
}

TEST_F(Sieve, AnEndlessAnswerIsCutOff) {
  script->supply(std::string(80'000, 'x'));
  auto scripts = list();
  ASSERT_FALSE(scripts);
  EXPECT_EQ(scripts.error().code, Errc::limit);
}

TEST_F(Sieve, WhatIsNoManageSieveServerIsAnError) {
  script->supply("* OK IMAP4rev1 ready\r\n").end();
  auto scripts = list();
  ASSERT_FALSE(scripts);
}

}  // namespace

}  // namespace gateway::migrate
