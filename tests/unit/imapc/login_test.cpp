#include "imapc/login.h"

#include "tests/unit/imapc/scripted_connection.h"

namespace imapc {
namespace {

struct Case {
  const char* what;
  const char* capabilities;
  Security security;
  std::function<Credentials()> credentials;
  std::function<void(ScriptedStream&)> steps;  // after the greeting
  std::optional<Errc> code;                    // none: logs in
  const char* note = "";
};

Credentials as_admin(Admin::Method method) {
  Credentials credentials;
  credentials.user = "user";
  Admin admin;
  admin.user = "proxy";
  admin.password = Secret("mastersecret");
  admin.method = method;
  credentials.admin = admin;
  return credentials;
}
Credentials with_password(const char* password) {
  Credentials credentials = user_credentials();
  credentials.password = Secret(password);
  return credentials;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"login_without_sasl",
       "IMAP4rev1",
       Security::none,
       user_credentials,
       [](auto& s) { s.expect("f1 LOGIN user secret\r\n").supply("f1 OK [CAPABILITY IMAP4rev1 X] in\r\n"); },
       {}},
      {"capabilities_are_asked_for_when_the_greeting_has_none",
       "",
       Security::none,
       user_credentials,
       [](auto& s) {
         s.expect("f1 CAPABILITY\r\n").supply("* CAPABILITY IMAP4rev1\r\nf1 OK done\r\n");
         s.expect("f2 LOGIN user secret\r\n").supply("f2 OK in\r\n");
         s.expect("f3 CAPABILITY\r\n").supply("* CAPABILITY IMAP4rev1 IDLE\r\nf3 OK done\r\n");
       },
       {}},
      {"untagged_capabilities_during_login_count",
       "IMAP4rev1",
       Security::none,
       user_credentials,
       [](auto& s) { s.expect("f1 LOGIN user secret\r\n").supply("* CAPABILITY IMAP4rev1 IDLE\r\nf1 OK in\r\n"); },
       {}},
      {"plain_with_initial_response",
       "IMAP4rev1 AUTH=PLAIN SASL-IR",
       Security::none,
       user_credentials,
       [](auto& s) {
         s.expect("f1 AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\r\n").supply("f1 OK [CAPABILITY IMAP4rev1] in\r\n");
       },
       {}},
      {"plain_without_initial_response_when_login_is_disabled",
       "IMAP4rev1 AUTH=PLAIN LOGINDISABLED",
       Security::none,
       user_credentials,
       [](auto& s) {
         s.expect("f1 AUTHENTICATE PLAIN\r\n").supply("+ \r\n");
         s.expect("AHVzZXIAc2VjcmV0\r\n").supply("f1 OK [CAPABILITY IMAP4rev1] in\r\n");
       },
       {}},
      {"mechanism_refused_before_the_password_goes_out", "IMAP4rev1 AUTH=PLAIN LOGINDISABLED", Security::none,
       user_credentials, [](auto& s) { s.expect("f1 AUTHENTICATE PLAIN\r\n").supply("f1 NO [UNAVAILABLE] later\r\n"); },
       Errc::unavailable},
      {"admin_by_authzid",
       "IMAP4rev1 AUTH=PLAIN SASL-IR",
       Security::none,
       [] { return as_admin(Admin::Method::authzid); },
       [](auto& s) {  // "user" NUL "proxy" NUL "mastersecret"
         s.expect("f1 AUTHENTICATE PLAIN dXNlcgBwcm94eQBtYXN0ZXJzZWNyZXQ=\r\n");
         s.supply("f1 OK [CAPABILITY IMAP4rev1] in\r\n");
       },
       {}},
      {"admin_by_authzid_needs_plain", "IMAP4rev1", Security::none, [] { return as_admin(Admin::Method::authzid); },
       [](auto&) {}, Errc::unsupported},
      {"admin_by_separator",
       "IMAP4rev1",
       Security::none,
       [] { return as_admin(Admin::Method::separator); },
       [](auto& s) {
         s.expect("f1 LOGIN \"user*proxy\" mastersecret\r\n").supply("f1 OK [CAPABILITY IMAP4rev1] in\r\n");
       },
       {}},
      {"login_disabled_is_respected", "IMAP4rev1 LOGINDISABLED", Security::none, user_credentials, [](auto&) {},
       Errc::unsupported},
      {"password_that_needs_a_literal",
       "IMAP4rev1",
       Security::none,
       [] { return with_password("p\xc3\xa4ss"); },
       [](auto& s) {
         s.expect("f1 LOGIN user {5}\r\n").supply("+ go\r\n").expect("p\xc3\xa4ss\r\n");
         s.supply("f1 OK [CAPABILITY IMAP4rev1] in\r\n");
       },
       {}},
      {"wrong_password", "IMAP4rev1", Security::none, user_credentials,
       [](auto& s) { s.expect("f1 LOGIN user secret\r\n").supply("f1 NO Login failed.\r\n"); }, Errc::auth},
      {"overloaded_is_not_a_wrong_password", "IMAP4rev1", Security::none, user_credentials,
       [](auto& s) { s.expect("f1 LOGIN user secret\r\n").supply("f1 NO [UNAVAILABLE] try later\r\n"); },
       Errc::unavailable},
      {"bye_instead_of_an_answer", "IMAP4rev1", Security::none, user_credentials,
       [](auto& s) { s.expect("f1 LOGIN user secret\r\n").supply("* BYE too many connections\r\n"); },
       Errc::unavailable},
      {"starttls_then_capabilities_anew",
       "IMAP4rev1 STARTTLS LOGINDISABLED",
       Security::starttls,
       user_credentials,
       [](auto& s) {
         s.expect("f1 STARTTLS\r\n").supply("f1 OK begin\r\n").start_tls();
         s.expect("f2 CAPABILITY\r\n").supply("* CAPABILITY IMAP4rev1\r\nf2 OK done\r\n");
         s.expect("f3 LOGIN user secret\r\n").supply("f3 OK [CAPABILITY IMAP4rev1] in\r\n");
       },
       {}},
      {"plain_text_after_starttls_is_forgotten",
       "IMAP4rev1 STARTTLS",
       Security::starttls,
       user_credentials,
       [](auto& s) {
         s.expect("f1 STARTTLS\r\n")
             .supply("f1 OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR EVIL\r\nf2 OK x\r\n");
         s.start_tls();
         s.expect("f2 CAPABILITY\r\n").supply("* CAPABILITY IMAP4rev1\r\nf2 OK done\r\n");
         s.expect("f3 LOGIN user secret\r\n").supply("f3 OK [CAPABILITY IMAP4rev1] in\r\n");
       },
       {}},
      {"starttls_demanded_but_not_offered", "IMAP4rev1", Security::starttls, user_credentials, [](auto&) {},
       Errc::unsupported, "the server does not offer STARTTLS"},
      {"starttls_refused", "IMAP4rev1 STARTTLS", Security::starttls, user_credentials,
       [](auto& s) { s.expect("f1 STARTTLS\r\n").supply("f1 NO no\r\n"); }, Errc::unavailable},
      {"starttls_if_offered_goes_on_without",
       "IMAP4rev1",
       Security::starttls_if_offered,
       user_credentials,
       [](auto& s) { s.expect("f1 LOGIN user secret\r\n").supply("f1 OK [CAPABILITY IMAP4rev1] in\r\n"); },
       {}},
  };
  return all;
}

class Login : public ScriptedConnection, public testing::WithParamInterface<size_t> {
 protected:
  Result<> attempt(size_t fail_at, size_t read_size) {
    const Case& c = cases()[GetParam()];
    const std::string greeting =
        *c.capabilities ? "* OK [CAPABILITY " + std::string(c.capabilities) + "] hi\r\n" : "* OK hi\r\n";
    script().supply(greeting);
    c.steps(script());
    if (fail_at != ~size_t{0}) script().fail_at(fail_at);
    script().break_reads(read_size);
    Endpoint endpoint = plain_endpoint();
    endpoint.security = c.security;
    return open(endpoint, c.credentials());
  }
};

INSTANTIATE_TEST_SUITE_P(All, Login, testing::Range(size_t{0}, cases().size()),
                         [](const auto& test) { return std::string(cases()[test.param].what); });

TEST_P(Login, ends_as_expected) {
  const Case& c = cases()[GetParam()];
  const Result<> r = attempt(~size_t{0}, 4096);
  EXPECT_EQ(record.mismatch, "");
  EXPECT_TRUE(record.finished);
  EXPECT_EQ(r.has_value(), !c.code) << (r ? "" : r.error().describe());
  if (!r && c.code) {
    EXPECT_EQ(r.error().code, *c.code) << r.error().describe();
    if (*c.note) {
      EXPECT_EQ(r.error().note, c.note);
    }
  }
}

TEST_P(Login, ends_as_expected_byte_by_byte) {
  const std::string what = cases()[GetParam()].what;
  if (what == "plain_text_after_starttls_is_forgotten") return;  // there the rest lies before the handshake anyway
  const Result<> r = attempt(~size_t{0}, 1);
  EXPECT_EQ(record.mismatch, "");
  EXPECT_EQ(r.has_value(), !cases()[GetParam()].code);
}

TEST_P(Login, reports_a_break_at_every_step) {
  ScriptedStream counter(context.get_executor());
  cases()[GetParam()].steps(counter);
  const size_t steps = counter.steps() + 1;
  for (size_t n = 0; n < steps; ++n) {
    record = ScriptedStream::Record();
    const Result<> r = attempt(n, 4096);
    ASSERT_FALSE(r) << "step " << n;
    EXPECT_EQ(r.error().code, Errc::unavailable) << "step " << n << ": " << r.error().describe();
    poll(context);
  }
}

class LoginTest : public ScriptedConnection {};

TEST_F(LoginTest, preauth_needs_no_login) {
  script().supply("* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n");
  script().expect("f1 CAPABILITY\r\n").supply("* CAPABILITY IMAP4rev1 IDLE\r\nf1 OK done\r\n");
  ASSERT_TRUE(open());
  EXPECT_TRUE(connection->preauth());
  EXPECT_TRUE(connection->capabilities().has("IDLE"));
}

TEST_F(LoginTest, preauth_cannot_be_trusted_where_tls_is_demanded) {
  script().supply("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome\r\n");
  Endpoint endpoint = plain_endpoint();
  endpoint.security = Security::starttls;
  const Result<> r = open(endpoint);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::refused);
}

TEST_F(LoginTest, what_is_no_imap_server_is_told_as_such) {
  for (const char* greeting : {"220 mail ESMTP\r\n", "+OK POP3\r\n", "HTTP/1.1 400 Bad Request\r\n"}) {
    live = nullptr;
    record = ScriptedStream::Record();
    script().supply(greeting);
    const Result<> r = open();
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, Errc::unsupported) << greeting;
  }
}

TEST_F(LoginTest, a_server_that_repeats_the_password_does_not_get_it_into_the_failure) {
  script().supply("* OK [CAPABILITY IMAP4rev1] hi\r\n");
  script().expect("f1 LOGIN user secret\r\n").supply("f1 BAD cannot parse: LOGIN user secret\r\n");
  const Result<> r = open();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().describe().find("secret"), std::string::npos) << r.error().describe();
}

TEST_F(LoginTest, a_nul_cannot_be_smuggled_into_plain) {
  script().supply("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi\r\n");
  Credentials credentials = user_credentials();
  credentials.user = std::string("a\0b", 3);
  const Result<> r = open(plain_endpoint(), credentials);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::usage);
}

TEST_F(LoginTest, id_goes_out_before_the_login_and_enable_after_it) {
  script().supply("* OK [CAPABILITY IMAP4rev1 ID] hi\r\n");
  script().expect("f1 ID (\"name\" \"Fairlead\")\r\nf2 LOGIN user secret\r\n");
  script().supply("* ID (\"name\" \"Cyrus\" \"version\" \"3.6.1\")\r\nf1 OK id\r\n");
  script().supply("f2 OK [CAPABILITY IMAP4rev1 ENABLE CONDSTORE QRESYNC] in\r\n");
  script().expect("f3 ENABLE CONDSTORE QRESYNC\r\n").supply("* ENABLED CONDSTORE QRESYNC\r\nf3 OK on\r\n");
  Options options;
  options.id.set("name", "Fairlead");
  options.enable = {"CONDSTORE", "QRESYNC", "UTF8=ACCEPT"};
  const Result<> r = open(plain_endpoint(), user_credentials(), options);
  EXPECT_EQ(record.mismatch, "");
  ASSERT_TRUE(r) << r.error().describe();
  EXPECT_EQ(*connection->server_id().find("name"), "Cyrus");
  EXPECT_TRUE(connection->enabled().has("QRESYNC"));
}

TEST_F(LoginTest, a_silent_server_ends_in_a_timeout) {
  script();
  std::optional<Failure> failure;
  auto steps = [&]() -> awaitable<void> {
    Endpoint endpoint = plain_endpoint();
    Credentials credentials = user_credentials();
    Options options;
    options.login_timeout = Timeout(5'000);
    auto opened = co_await Connection::open_on(std::move(stream), endpoint, credentials, options);
    if (!opened) failure = opened.error();
  };
  wire::net::TaskGroup group(context.get_executor(), nullptr);
  group.spawn("open", steps());
  poll(context);
  EXPECT_FALSE(failure);
  wheel.advance(Timeout(5'200));
  poll(context);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code, Errc::timeout);
}

TEST(Secret, is_wiped_when_moved_from_and_replaced) {
  Secret a(std::string(40, 's'));
  const char* bytes = a.reveal().data();
  Secret b = std::move(a);
  EXPECT_TRUE(a.empty());
  EXPECT_EQ(b.reveal(), std::string(40, 's'));
  EXPECT_EQ(bytes[5], '\0');
  b.wipe();
  EXPECT_TRUE(b.empty());
}

}  // namespace
}  // namespace imapc
