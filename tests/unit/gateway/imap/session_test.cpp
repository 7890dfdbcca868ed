// Sessions over a real local account: what scripts cannot say (TLS, hostile bytes, time, other threads' orders).
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/script/test_gateway.h"
#include "tests/support/certificates.h"

namespace gateway::imap {
namespace {

using tests::script::Client;
using tests::script::TestGateway;

void append(Client& client, const std::string& box, const std::string& message, const std::string& flags = {}) {
  const auto answer =
      client.command("APPEND " + box + " " + flags + "{" + std::to_string(message.size()) + "+}\r\n" + message);
  ASSERT_TRUE(answer.ok()) << answer.tagged;
}

TEST(SessionTest, pipelined_commands_are_answered_in_order_in_one_breath) {
  TestGateway gateway;
  Client client = gateway.connect();
  client.send("a LOGIN alice secret\r\nb SELECT INBOX\r\nc NOOP\r\nd FETCH 1 FLAGS\r\ne LOGOUT\r\n");
  std::string all;
  for (std::string line = client.read_response(); !line.empty(); line = client.read_response()) all += line + "\n";
  const size_t a = all.find("\na OK "), b = all.find("\nb OK "), c = all.find("\nc OK "), d = all.find("\nd BAD "),
               e = all.find("\ne OK ");
  EXPECT_LT(a, b);
  EXPECT_LT(b, c);
  EXPECT_LT(c, d);
  EXPECT_LT(d, e);
  EXPECT_NE(e, std::string::npos);
}

TEST(SessionTest, bytes_may_come_one_by_one) {
  TestGateway gateway;
  Client client = gateway.connect();
  (void)client.read_response();
  for (char c : std::string("x LOGIN {5+}\r\nalice secret\r\n")) client.send(std::string_view(&c, 1));
  EXPECT_TRUE(client.finish("x").ok());
}

TEST(SessionTest, synchronizing_literals_are_asked_for) {
  TestGateway gateway;
  Client client = gateway.connect();
  (void)client.read_response();
  client.send("x LOGIN {5}\r\n");
  EXPECT_TRUE(client.read_response().starts_with("+ "));
  client.send("alice {6}\r\n");
  EXPECT_TRUE(client.read_response().starts_with("+ "));
  client.send("secret\r\n");
  EXPECT_TRUE(client.finish("x").ok());
}

// --- TLS

class TlsSessionTest : public testing::Test {
 protected:
  static TestGateway::Options options(bool with_tls, tests::support::Certificates& certificates) {
    TestGateway::Options o;
    o.allow_plaintext = false;
    if (with_tls) {
      const auto pair = certificates.issue("localhost", "DNS:localhost");
      o.tls = *wire::net::TlsServer::load(pair.certificate, pair.key);
    }
    return o;
  }
  tests::support::Certificates certificates_;
};

TEST_F(TlsSessionTest, no_password_is_taken_in_the_clear) {
  TestGateway gateway(options(true, certificates_));
  Client client = gateway.connect();
  const std::string greeting = client.read_response();
  EXPECT_NE(greeting.find(" LOGINDISABLED"), std::string::npos) << greeting;
  EXPECT_NE(greeting.find(" STARTTLS"), std::string::npos) << greeting;
  EXPECT_EQ(greeting.find("AUTH=PLAIN"), std::string::npos) << greeting;
  EXPECT_TRUE(client.command("LOGIN alice secret").tagged.starts_with("NO [PRIVACYREQUIRED]"));
  EXPECT_TRUE(client.command("AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==").tagged.starts_with("NO [PRIVACYREQUIRED]"));
}

TEST_F(TlsSessionTest, commands_pipelined_behind_starttls_end_the_session) {
  TestGateway gateway(options(true, certificates_));
  Client client = gateway.connect();
  (void)client.read_response();
  client.send("a STARTTLS\r\nb NOOP\r\n");
  const auto answer = client.finish("a");
  EXPECT_TRUE(answer.tagged.starts_with("BAD ")) << answer.tagged;
  EXPECT_TRUE(client.closed());
}

TEST_F(TlsSessionTest, starttls_is_answered_and_a_broken_handshake_ends_the_session) {
  TestGateway gateway(options(true, certificates_));
  Client client = gateway.connect();
  (void)client.read_response();
  client.send("a STARTTLS\r\n");
  EXPECT_TRUE(client.finish("a").ok());
  client.send("this is no handshake at all, whatever one may think of it\r\n");
  EXPECT_TRUE(client.closed());
}

TEST_F(TlsSessionTest, a_session_goes_on_over_tls_on_another_core) {
  TestGateway gateway(options(true, certificates_));
  for (const bool implicit : {false, true, false, true}) {
    Client client = gateway.connect(implicit ? config::ListenSecurity::tls : config::ListenSecurity::starttls);
    if (!implicit) {
      (void)client.read_response();
      ASSERT_TRUE(client.command("STARTTLS").ok());
    }
    client.start_tls();
    if (implicit) {
      EXPECT_NE(client.read_response().find("AUTH=PLAIN"), std::string::npos);
    }
    EXPECT_TRUE(client.command("STARTTLS").tagged.starts_with("BAD "));
    EXPECT_TRUE(client.command("LOGIN alice secret").ok());
    EXPECT_TRUE(client.command("SELECT INBOX").ok());
    EXPECT_TRUE(client.command("LOGOUT").ok());
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(TlsSessionTest, starttls_is_not_offered_without_a_certificate) {
  TestGateway gateway(options(false, certificates_));
  Client client = gateway.connect();
  EXPECT_EQ(client.read_response().find(" STARTTLS"), std::string::npos);
  EXPECT_TRUE(client.command("STARTTLS").tagged.starts_with("NO "));
}

// --- hostile bytes: answered, and nobody else is hurt

struct Hostile {
  const char* name;
  std::string bytes;
  bool closes;
};

class HostileTest : public testing::TestWithParam<Hostile> {};

TEST_P(HostileTest, costs_nobody_else_anything) {
  TestGateway gateway;
  Client good = gateway.connect_and_log_in("bob");
  Client bad = gateway.connect_and_log_in();
  bad.send(GetParam().bytes);
  if (GetParam().closes) {
    EXPECT_TRUE(bad.closed());
  } else {
    bad.send("after NOOP\r\n");
    EXPECT_TRUE(bad.finish("after").ok());
  }
  EXPECT_TRUE(good.command("NOOP").ok());
  Client another = gateway.connect_and_log_in();
  EXPECT_TRUE(another.command("SELECT INBOX").ok());
}

INSTANTIATE_TEST_SUITE_P(
    Cases, HostileTest,
    testing::Values(Hostile{"a_literal_of_2_to_the_63", "x APPEND INBOX {9223372036854775808}\r\n", true},
                    Hostile{"a_literal_that_overflows", "x APPEND INBOX {99999999999999999999999999}\r\n", true},
                    Hostile{"a_line_without_end", std::string(200'000, 'x'), true},
                    Hostile{"many_bad_commands",
                            [] {
                              std::string s;
                              for (int i = 0; i < 30; ++i) s += "x NONSENSE\r\n";
                              return s;
                            }(),
                            true},
                    Hostile{"nul_bytes", std::string("x\0y NOOP\r\n", 10), false},
                    Hostile{"empty_lines", "\r\n\r\n\r\n", false},
                    Hostile{"a_name_that_is_no_utf7", "x CREATE \"&&&\"\r\nx CREATE \"a&-b&\"\r\n", false},
                    Hostile{"deep_nesting", "x SEARCH " + std::string(5000, '(') + "\r\n", false},
                    Hostile{"many_nots",
                            [] {
                              std::string s = "x SELECT INBOX\r\ny SEARCH";
                              for (int i = 0; i < 3000; ++i) s += " NOT";
                              return s + " ALL\r\n";
                            }(),
                            false},
                    Hostile{"a_big_literal_where_none_belongs",
                            "x SELECT {70000+}\r\n" + std::string(70'000, 'x') + "\r\n", false},
                    Hostile{"eight_bit_names", "x SELECT \xff\xfe\r\n", false}),
    [](const auto& c) { return std::string(c.param.name); });

TEST(SessionTest, a_fatal_line_is_answered_before_the_bye) {
  TestGateway gateway;
  Client client = gateway.connect_and_log_in();
  client.send("x APPEND INBOX {9223372036854775808}\r\n");
  const auto answer = client.finish("x");
  EXPECT_TRUE(answer.tagged.starts_with("BAD ")) << answer.tagged;
  EXPECT_TRUE(client.read_response().starts_with("* BYE "));
}

TEST(SessionTest, wrong_passwords_end_in_bye) {
  TestGateway gateway;
  Client client = gateway.connect();
  (void)client.read_response();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(client.command("LOGIN alice no").tagged.starts_with("NO [AUTHENTICATIONFAILED]"));
  }
  const auto last = client.command("LOGIN alice no");
  EXPECT_FALSE(last.untagged.empty());
  EXPECT_TRUE(client.closed());
}

// --- APPEND

TEST(AppendTest, a_message_comes_back_byte_by_byte) {
  TestGateway gateway;
  Client client = gateway.connect_and_log_in();
  std::string message = "Subject: x\r\n\r\n";
  uint32_t random = 7;
  while (message.size() < 700'000) {
    random = random * 1664525u + 1013904223u;
    message += static_cast<char>(1 + (random >> 16) % 255);
  }
  append(client, "INBOX", message);
  ASSERT_TRUE(client.command("SELECT INBOX").ok());
  const auto whole = client.command("FETCH 1 (RFC822.SIZE BODY.PEEK[])");
  ASSERT_EQ(whole.untagged.size(), 1u);
  std::string shown;
  for (char c : message) {
    if (c == '\r') {
      shown += "\\r";
    } else if (c == '\n') {
      shown += "\\n";
    } else if (c == '\\') {
      shown += "\\\\";
    } else {
      shown += c;
    }
  }
  EXPECT_EQ(whole.untagged[0],
            "* 1 FETCH (RFC822.SIZE " + std::to_string(message.size()) + " BODY[] {{{" + shown + "}}})");
}

TEST(AppendTest, a_message_with_nul_is_refused_and_the_session_goes_on) {
  TestGateway gateway;
  Client client = gateway.connect_and_log_in();
  client.send(std::string("x APPEND INBOX {6+}\r\na\0b\r\nc\r\n", 29));
  EXPECT_TRUE(client.finish("x").tagged.starts_with("NO [CANNOT]"));
  EXPECT_TRUE(client.command("NOOP").ok());
  EXPECT_TRUE(client.command("STATUS INBOX (MESSAGES)").has("* STATUS INBOX (MESSAGES 0)"));
}

TEST(AppendTest, a_message_above_the_limit_is_drained_and_refused) {
  TestGateway gateway;
  Client client = gateway.connect_and_log_in();
  client.send("x APPEND INBOX {2000000+}\r\n" + std::string(2'000'000, 'x') + "\r\n");
  EXPECT_TRUE(client.finish("x").tagged.starts_with("NO [TOOBIG]"));
  EXPECT_TRUE(client.command("NOOP").ok());
}

TEST(AppendTest, the_selected_mailbox_hears_of_it_before_the_ok) {
  TestGateway gateway;
  Client client = gateway.connect_and_log_in();
  ASSERT_TRUE(client.command("SELECT INBOX").ok());
  const auto answer = client.command("APPEND INBOX {3+}\r\nabc");
  EXPECT_TRUE(answer.has("* 1 EXISTS"));
}

// --- big messages

TEST(FetchTest, big_messages_are_streamed_and_scanned_from_a_file) {
  TestGateway::Options options;
  options.max_append_bytes = 64 << 20;
  TestGateway gateway(options);
  Client client = gateway.connect_and_log_in();
  std::string message =
      "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n--b\r\n\r\n";
  const size_t before = message.size();
  while (message.size() < (9u << 20)) message += "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\r\n";
  const size_t second = message.size() - before - 2;
  message += "--b--\r\n";
  append(client, "INBOX", message);
  ASSERT_TRUE(client.command("SELECT INBOX").ok());
  const auto parts = client.command("FETCH 1 (BODY.PEEK[1] BODY.PEEK[2]<0.5>)");
  EXPECT_TRUE(parts.has("* 1 FETCH (BODY[1] {{{first}}} BODY[2]<0> {{{01234}}})"));
  const auto structure = client.command("FETCH 1 BODY");
  ASSERT_EQ(structure.untagged.size(), 1u);
  EXPECT_NE(structure.untagged[0].find(" " + std::to_string(second) + " "), std::string::npos) << structure.untagged[0];
  const auto tail = client.command("FETCH 1 BODY.PEEK[]<" + std::to_string(message.size() - 7) + ".100>");
  EXPECT_TRUE(tail.has("* 1 FETCH (BODY[]<" + std::to_string(message.size() - 7) + "> {{{--b--\\r\\n}}})"))
      << tail.untagged.at(0);
  const auto whole = client.command("FETCH 1 BODY.PEEK[]");
  ASSERT_EQ(whole.untagged.size(), 1u);
  EXPECT_GT(whole.untagged[0].size(), message.size());
}

// --- two sessions

TEST(RecentTest, belongs_to_the_first_select) {
  TestGateway gateway;
  Client a = gateway.connect_and_log_in();
  append(a, "INBOX", "x\r\n");
  Client examiner = gateway.connect_and_log_in();
  EXPECT_TRUE(examiner.command("EXAMINE INBOX").has("* 1 RECENT"));
  EXPECT_TRUE(a.command("SELECT INBOX").has("* 1 RECENT"));
  Client b = gateway.connect_and_log_in();
  EXPECT_TRUE(b.command("SELECT INBOX").has("* 0 RECENT"));
  append(b, "INBOX", "y\r\n");
  // Whoever shows the new message first has it, and nobody else: b, at the end of its APPEND.
  EXPECT_TRUE(a.command("NOOP").has("* 1 RECENT"));
  EXPECT_TRUE(b.command("FETCH 2 FLAGS").has("* 2 FETCH (FLAGS (\\Recent))"));
}

TEST(GoneTest, a_selected_mailbox_that_is_deleted_ends_the_session) {
  TestGateway gateway;
  Client a = gateway.connect_and_log_in();
  ASSERT_TRUE(a.command("CREATE box").ok());
  ASSERT_TRUE(a.command("SELECT box").ok());
  Client idler = gateway.connect_and_log_in();
  ASSERT_TRUE(idler.command("SELECT box").ok());
  idler.send("i IDLE\r\n");
  EXPECT_TRUE(idler.read_response().starts_with("+ "));
  Client b = gateway.connect_and_log_in();
  ASSERT_TRUE(b.command("DELETE box").ok());
  const auto answer = a.command("FETCH 1 FLAGS");
  EXPECT_FALSE(answer.ok());
  ASSERT_FALSE(answer.untagged.empty());
  EXPECT_TRUE(answer.untagged[0].starts_with("* BYE "));
  EXPECT_TRUE(a.closed());
  EXPECT_TRUE(idler.read_response().starts_with("* BYE "));
  EXPECT_TRUE(idler.closed());
}

TEST(DeleteTest, the_selected_mailbox_stays_selected_when_its_delete_fails) {
  TestGateway gateway;
  Client client = gateway.connect_and_log_in();
  ASSERT_TRUE(client.command("ENABLE QRESYNC").ok());
  for (const char* name : {"kept", "lost"}) {
    const std::string box = name;
    ASSERT_TRUE(client.command("CREATE " + box).ok());
    ASSERT_TRUE(client.command("SELECT " + box).ok());
    const bool stays = box == "kept";
    const auto answer = client.command("DELETE " + box);
    EXPECT_EQ(answer.ok(), !stays) << answer.tagged;
    EXPECT_EQ(answer.has("* OK [CLOSED] Mailbox is deleted"), !stays);
    EXPECT_EQ(client.command("CHECK").ok(), stays) << "the selected state";
    if (stays) {
      ASSERT_TRUE(client.command("UNSELECT").ok());
    }
  }
}

TEST(CloseTest, a_qresync_client_hears_what_others_did_before_the_highestmodseq) {
  TestGateway gateway;
  Client a = gateway.connect_and_log_in();
  for (const char* message : {"one\r\n", "two\r\n", "three\r\n"}) append(a, "INBOX", message);
  ASSERT_TRUE(a.command("ENABLE QRESYNC").ok());
  ASSERT_TRUE(a.command("SELECT INBOX").ok());
  ASSERT_TRUE(a.command("STORE 3 +FLAGS.SILENT (\\Deleted)").ok());
  Client b = gateway.connect_and_log_in();
  ASSERT_TRUE(b.command("SELECT INBOX").ok());
  ASSERT_TRUE(b.command("STORE 2 +FLAGS (\\Deleted)").ok());
  ASSERT_TRUE(b.command("UID EXPUNGE 2").ok());
  ASSERT_TRUE(b.command("STORE 1 +FLAGS (\\Flagged)").ok());
  append(b, "INBOX", "four\r\n");
  const auto closed = a.command("CLOSE");
  EXPECT_TRUE(closed.tagged.starts_with("OK [HIGHESTMODSEQ ")) << closed.tagged;
  EXPECT_TRUE(closed.has("* VANISHED 2"));
  EXPECT_TRUE(closed.has("* 3 EXISTS"));
  const bool flagged = std::any_of(closed.untagged.begin(), closed.untagged.end(), [](const std::string& line) {
    return line.starts_with("* 1 FETCH (UID 1 ") && line.find("\\Flagged") != std::string::npos;
  });
  EXPECT_TRUE(flagged);
  EXPECT_FALSE(closed.has("* VANISHED 3")) << "its own, which CLOSE does not say";
}

TEST(CloseTest, without_qresync_nothing_is_said) {
  TestGateway gateway;
  Client a = gateway.connect_and_log_in();
  append(a, "INBOX", "one\r\n", "(\\Deleted) ");
  ASSERT_TRUE(a.command("SELECT INBOX").ok());
  Client b = gateway.connect_and_log_in();
  append(b, "INBOX", "two\r\n");
  const auto closed = a.command("CLOSE");
  EXPECT_TRUE(closed.tagged.starts_with("OK Closed")) << closed.tagged;
  EXPECT_TRUE(closed.untagged.empty());
}

TEST(FetchTest, what_others_expunged_is_said_and_the_rest_is_answered) {
  TestGateway gateway;
  Client a = gateway.connect_and_log_in();
  append(a, "INBOX", "one\r\n", "(\\Deleted) ");
  append(a, "INBOX", "two\r\n");
  ASSERT_TRUE(a.command("SELECT INBOX").ok());
  Client b = gateway.connect_and_log_in();
  ASSERT_TRUE(b.command("SELECT INBOX").ok());
  ASSERT_TRUE(b.command("EXPUNGE").ok());
  const auto answer = a.command("FETCH 1:2 BODY.PEEK[]");
  EXPECT_TRUE(answer.has("* 2 FETCH (BODY[] {{{two\\r\\n}}})"));
  EXPECT_FALSE(answer.has("* 1 EXPUNGE")) << "not while FETCH by number is answered";
}

TEST(FetchTest, many_messages_come_in_order_and_whole) {
  TestGateway gateway;
  Client client = gateway.connect_and_log_in();
  std::string all;
  for (int i = 1; i <= 200; ++i) {
    const std::string message =
        "Subject: " + std::to_string(i) + "\r\n\r\n" + std::string(size_t(i) * 40, 'x') + "\r\n";
    all += "a" + std::to_string(i) + " APPEND INBOX {" + std::to_string(message.size()) + "+}\r\n" + message + "\r\n";
  }
  client.send(all);
  for (int i = 1; i <= 200; ++i) ASSERT_TRUE(client.finish("a" + std::to_string(i)).ok());
  ASSERT_TRUE(client.command("SELECT INBOX").ok());
  const auto answer = client.command("FETCH 1:* (BODY.PEEK[HEADER] BODY.PEEK[TEXT])");
  ASSERT_EQ(answer.untagged.size(), 200u);
  for (size_t i = 1; i <= 200; ++i) {
    EXPECT_EQ(answer.untagged[i - 1], "* " + std::to_string(i) +
                                          " FETCH (BODY[HEADER] {{{Subject: " + std::to_string(i) +
                                          "\\r\\n\\r\\n}}} BODY[TEXT] {{{" + std::string(i * 40, 'x') + "\\r\\n}}})");
  }
}

TEST(FetchTest, a_message_that_cannot_be_had_is_named_and_the_rest_is_answered) {
  TestGateway gateway;
  Client client = gateway.connect_and_log_in();
  append(client, "INBOX", "one\r\n");
  gateway.add_without_body("alice", "INBOX");
  append(client, "INBOX", "three\r\n");
  ASSERT_TRUE(client.command("SELECT INBOX").ok());
  const auto answer = client.command("FETCH 1:3 BODY.PEEK[TEXT]");
  EXPECT_TRUE(answer.tagged.starts_with("NO [")) << answer.tagged;
  EXPECT_NE(answer.tagged.find("(uid 2)"), std::string::npos) << answer.tagged;
  EXPECT_EQ(answer.untagged.size(), 2u);
  EXPECT_TRUE(client.command("FETCH 1:3 (FLAGS RFC822.SIZE)").ok()) << "what needs no bytes is answered";
  const auto search = client.command("SEARCH BODY e");
  EXPECT_TRUE(search.ok());
  EXPECT_TRUE(search.untagged.at(0).starts_with("* NO [UNAVAILABLE]"));
}

// --- leaving

TEST(LeaveTest, idle_and_parked_sessions_hear_bye_at_once) {
  TestGateway gateway;
  Client idler = gateway.connect_and_log_in();
  ASSERT_TRUE(idler.command("SELECT INBOX").ok());
  idler.send("i IDLE\r\n");
  EXPECT_TRUE(idler.read_response().starts_with("+ "));
  Client parked = gateway.connect_and_log_in();
  Client stranger = gateway.connect();
  (void)stranger.read_response();
  gateway.sessions().close("Restarting");
  for (Client* c : {&idler, &parked, &stranger}) {
    EXPECT_EQ(c->read_response(), "* BYE Restarting");
    EXPECT_TRUE(c->closed());
  }
}

TEST(LeaveTest, a_kick_ends_the_sessions_of_one_user) {
  TestGateway gateway;
  Client alice = gateway.connect_and_log_in("alice");
  Client bob = gateway.connect_and_log_in("bob");
  EXPECT_EQ(gateway.sessions().kick_user("alice", "Kicked"), 1u);
  EXPECT_EQ(alice.read_response(), "* BYE Kicked");
  EXPECT_TRUE(alice.closed());
  EXPECT_TRUE(bob.command("NOOP").ok());
}

TEST(LeaveTest, too_many_sessions_of_a_user_are_refused_at_login) {
  TestGateway::Options options;
  options.sessions_per_user = 1;
  TestGateway gateway(options);
  Client first = gateway.connect_and_log_in();
  Client second = gateway.connect();
  (void)second.read_response();
  EXPECT_TRUE(second.command("LOGIN alice secret").tagged.starts_with("NO [LIMIT]"));
  EXPECT_TRUE(first.command("NOOP").ok());
}

TEST(LeaveTest, too_many_connections_from_an_address_hear_bye) {
  TestGateway::Options options;
  options.sessions_per_address = 1;
  TestGateway gateway(options);
  Client first = gateway.connect_and_log_in();
  Client second = gateway.connect();
  EXPECT_TRUE(second.read_response().starts_with("* BYE "));
  EXPECT_TRUE(second.closed());
}

TEST(LeaveTest, silence_ends_in_bye) {
  TestGateway::Options options;
  options.silent_before_login = options.silent_after_login = std::chrono::milliseconds(200);
  TestGateway gateway(options);
  Client stranger = gateway.connect();
  (void)stranger.read_response();
  EXPECT_TRUE(stranger.read_response().starts_with("* BYE "));
  EXPECT_TRUE(stranger.closed());
}

// --- the access log

TEST(AccessTest, a_command_that_names_a_mailbox_leaves_one_line) {
  TestGateway gateway;
  Client client = gateway.connect_and_log_in();
  ASSERT_TRUE(client.command("NOOP").ok());
  append(client, "INBOX", "x\r\n");
  ASSERT_TRUE(client.command("SELECT INBOX").ok());
  ASSERT_TRUE(client.command("UID FETCH 1 FLAGS").ok());
  EXPECT_FALSE(client.command("SELECT none").ok());
  const auto records = gateway.access().records();
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0].command, "APPEND");
  EXPECT_EQ(records[0].mailbox, "INBOX");
  EXPECT_EQ(records[0].user, "alice");
  EXPECT_EQ(records[1].command, "SELECT");
  EXPECT_EQ(records[1].count, 1u);
  EXPECT_EQ(records[2].command, "UID FETCH");
  EXPECT_EQ(records[2].count, 1u);
  EXPECT_GT(records[2].bytes_out, 20u);
  EXPECT_EQ(records[2].bytes_in, std::string("T5 UID FETCH 1 FLAGS\r\n").size());
  EXPECT_EQ(records[3].result, "NO");
}

}  // namespace
}  // namespace gateway::imap
