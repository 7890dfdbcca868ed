// Sessions answer the same, byte for byte, whether derived data is there, is not, or is damaged.
#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <thread>

#include "tests/script/test_gateway.h"
#include "tests/support/odd_messages.h"

namespace tests {
namespace {

using script::Client;
using script::TestGateway;

constexpr const char* derived_file = "derived.data";

const std::vector<std::string>& commands() {
  static const std::vector<std::string> all = {
      "FETCH 1:* ENVELOPE",
      "FETCH 1:* (BODY)",
      "FETCH 1:* BODYSTRUCTURE",
      "UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE MODSEQ ENVELOPE BODY BODYSTRUCTURE)",
      "FETCH 3,5,2 (UID ENVELOPE)",
      "FETCH 1:* (BODY.PEEK[1] BODY.PEEK[1.MIME] ENVELOPE)",
      "FETCH 1:* FULL",
      "FETCH * (BODY.PEEK[1] BODY.PEEK[2.MIME] BODY.PEEK[3.1] BODY.PEEK[3.HEADER] BODY.PEEK[9] BODY.PEEK[3.2.1])",
      "FETCH * (UID BODY.PEEK[3.HEADER.FIELDS (SUBJECT)] BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)] BODY.PEEK[1])",
      "FETCH * (FLAGS BODY.PEEK[2]<3.70000> BODY.PEEK[TEXT]<10.20> BODY.PEEK[3.TEXT])",
      "FETCH * BODY.PEEK[2]<999999.5>",
      "SEARCH BODY \"zebra crossing\"",
      "SEARCH BODY \"zebra  crossings\"",
      "SEARCH SUBJECT \"hi\"",
      "SEARCH SUBJECT \"\"",
      "SEARCH FROM example",
      "SEARCH TO a@b",
      "SEARCH CC g",
      "SEARCH BCC \"\"",
      "SEARCH HEADER X-Empty \"\"",
      "SEARCH HEADER \"A B\" c",
      "SEARCH HEADER References \"<a@x>\"",
      "SEARCH BODY text",
      "SEARCH BODY zzznothing",
      "SEARCH BODY \"\"",
      "SEARCH TEXT subject",
      "SEARCH TEXT \"value X-Empty\"",
      "SEARCH BODY softbreak",
      "SEARCH BODY \"a;b;c\"",
      "SEARCH BODY t.csv",
      "SEARCH BODY \"needle in an image\"",
      "SEARCH TEXT \"c=\"",
      "SEARCH SENTON 5-Mar-2019",
      "SEARCH SENTBEFORE 1-Jan-2030",
      "SEARCH NOT SENTSINCE 1-Jan-2030",
      "SEARCH OR BODY inner SUBJECT re",
      "SEARCH NOT TEXT e UNSEEN",
      "UID SEARCH RETURN (MIN MAX COUNT ALL) TEXT \"t\"",
      "SEARCH CHARSET UTF-8 BODY {7+}\r\nstra\xc3\x9f"
      "e",
      "SEARCH CHARSET UTF-8 BODY {7+}\r\nSTRASSE",
      "SEARCH CHARSET UTF-8 SUBJECT {6+}\r\nSTRA\xc3\x9f",
      "SEARCH CHARSET UTF-8 TEXT {2+}\r\n\xc3\xb6",
      "SEARCH CHARSET UTF-8 BODY {9+}\r\n\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab",
      "SEARCH CHARSET ISO-8859-1 BODY x",
      "SEARCH HEADER Message-ID \"<1@x>\"",
      "SEARCH HEADER Received \"\"",
      "SEARCH HEADER \"Subject: re\" \"\"",
      "SORT (SUBJECT REVERSE SUBJECT DATE SUBJECT) UTF-8 ALL",
      "SORT (DATE) UTF-8 ALL",
      "SORT (SUBJECT REVERSE SIZE) UTF-8 ALL",
      "UID SORT (FROM TO CC ARRIVAL) UTF-8 NOT BODY zzz",
      "THREAD REFERENCES UTF-8 ALL",
      "UID THREAD ORDEREDSUBJECT UTF-8 ALL",
  };
  return all;
}

// Long enough that sections are read by themselves, and that its text spans blocks: with a term across each border.
std::string big_message() {
  std::string lines;
  for (int i = 0; lines.size() < 150'000; ++i) lines += "line " + std::to_string(i) + " of many\r\n";
  std::string crossing;
  while (crossing.size() < 300'000) crossing += "zebra crossing ";
  return "Subject: big\r\nX: y\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n--b\r\n"
         "Content-Type: text/plain\r\n\r\n" +
         lines +
         "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/mixed; "
         "boundary=c\r\n\r\n--c\r\n\r\ninner first\r\n--c\r\n\r\n" +
         crossing + "\r\n--c--\r\n--b--\r\n";
}

void fill(Client& client) {
  std::vector<std::string> all = messages();
  all.push_back(big_message());
  for (const std::string& message : all) {
    const std::string flags = message.size() % 2 ? "(\\Seen) " : "";
    const auto done = client.command("APPEND INBOX " + flags + "\"05-Mar-2019 10:00:00 +0100\" {" +
                                     std::to_string(message.size()) + "+}\r\n" + message);
    ASSERT_TRUE(done.ok() || message.empty() || message.find('\0') != std::string::npos) << done.tagged;
  }
  ASSERT_TRUE(client.command("EXAMINE INBOX").ok());
}

using Answers = std::vector<std::pair<std::vector<std::string>, std::string>>;

Answers ask(Client& client) {
  Answers out;
  for (const std::string& text : commands()) {
    auto answer = client.command(text);
    for (std::string& line : answer.untagged) {
      if (const size_t tag = line.find("(TAG "); tag != std::string::npos) line.erase(tag, line.find(')', tag) - tag);
    }
    out.emplace_back(std::move(answer.untagged), std::move(answer.tagged));
  }
  return out;
}

void compare(const Answers& got, const Answers& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(got[i].first == expected[i].first) << commands()[i];
    EXPECT_EQ(got[i].second, expected[i].second) << commands()[i];
  }
}

class DerivedSessions : public testing::Test {
 protected:
  DerivedSessions() : with(options()) {
    Client plain = without.connect_and_log_in();
    fill(plain);
    expected = ask(plain);
    Client client = with.connect_and_log_in();
    fill(client);
    entries = with.derived_entries("alice");
  }
  static TestGateway::Options options() {
    TestGateway::Options o;
    o.derived = true;
    return o;
  }
  std::filesystem::path file() const { return with.account_directory("alice") / derived_file; }
  void reopen() { with.close_account("alice"); }
  Answers ask_with() {
    Client client = with.connect_and_log_in();
    EXPECT_TRUE(client.command("EXAMINE INBOX").ok());
    Answers out = ask(client);
    client.command("LOGOUT");
    return out;
  }

  TestGateway without, with;
  Answers expected;
  uint64_t entries = 0;
};

TEST_F(DerivedSessions, answer_as_without_it) {
  EXPECT_GT(entries, 10u);
  compare(ask_with(), expected);
}

TEST_F(DerivedSessions, answer_as_without_it_after_reopening) {
  reopen();
  compare(ask_with(), expected);
  EXPECT_EQ(with.derived_entries("alice"), entries);
}

TEST_F(DerivedSessions, make_it_again_when_it_was_deleted) {
  reopen();
  std::filesystem::remove(file());
  compare(ask_with(), expected);
  EXPECT_EQ(with.derived_entries("alice"), entries);
  EXPECT_TRUE(std::filesystem::exists(file()));
  compare(ask_with(), expected);
}

TEST_F(DerivedSessions, answer_from_the_bytes_where_it_is_damaged) {
  const auto size = std::filesystem::file_size(file());
  for (const double part : {0.0, 0.01, 0.1, 0.3, 0.6, 0.9, 0.99}) {
    reopen();
    const auto at = static_cast<std::streamoff>(static_cast<double>(size) * part);
    {
      std::fstream f(file(), std::ios::in | std::ios::out | std::ios::binary);
      f.seekg(at);
      const char c = static_cast<char>(f.get() ^ 0x10);
      f.seekp(at);
      f.put(c);
    }
    compare(ask_with(), expected);
    EXPECT_EQ(with.derived_entries("alice"), entries) << part;
  }
}

TEST_F(DerivedSessions, answer_from_the_bytes_when_it_is_cut_under_them) {
  Client client = with.connect_and_log_in();
  ASSERT_TRUE(client.command("EXAMINE INBOX").ok());
  ASSERT_TRUE(client.command("FETCH 1 ENVELOPE").ok());
  std::filesystem::resize_file(file(), 70);
  compare(ask(client), expected);
}

TEST_F(DerivedSessions, answers_mix_what_has_entries_and_what_has_not) {
  // The second half arrives while nothing can be written.
  reopen();
  std::filesystem::remove(file());
  std::filesystem::create_directory(file());
  compare(ask_with(), expected);
  reopen();
  std::filesystem::remove(file());
  Client client = with.connect_and_log_in();
  ASSERT_TRUE(client.command("EXAMINE INBOX").ok());
  compare(ask(client), expected);
}

// --- a search that takes its time

class HeldSearch : public testing::Test {
 protected:
  HeldSearch() : client(gateway.connect_and_log_in()) {
    EXPECT_TRUE(client.command("APPEND INBOX {6+}\r\na: b\r\n").ok());
    EXPECT_TRUE(client.command("EXAMINE INBOX").ok());
    gateway.hold_searches(released.get_future().share());
    client.send("held SEARCH BODY x\r\n");
    while (!searching()) std::this_thread::yield();
  }
  bool searching() {
    for (const auto& s : gateway.sessions().list()) {
      if (s.command == "SEARCH") return true;
    }
    return false;
  }
  TestGateway gateway;
  Client client;
  std::promise<void> released;
};

TEST_F(HeldSearch, keeps_no_other_command_waiting) {
  Client other = gateway.connect_and_log_in();
  EXPECT_TRUE(other.command("APPEND INBOX {6+}\r\nc: d\r\n").ok()) << "its sync does not wait behind the search";
  EXPECT_TRUE(other.command("EXAMINE INBOX").ok());
  EXPECT_TRUE(other.command("FETCH 1:* BODY.PEEK[]").ok());
  released.set_value();
  const auto answer = client.finish("held");
  EXPECT_TRUE(answer.ok());
  EXPECT_TRUE(answer.has("* SEARCH"));
}

TEST_F(HeldSearch, is_given_up_when_its_session_must_leave) {
  EXPECT_EQ(gateway.sessions().kick_user("alice", "Kicked"), 1u);
  // The core has heard of it once it has answered another session.
  EXPECT_TRUE(gateway.connect_and_log_in("bob").command("NOOP").ok());
  released.set_value();
  const auto answer = client.finish("held");
  EXPECT_TRUE(answer.tagged.starts_with("NO [UNAVAILABLE]")) << answer.tagged;
  EXPECT_FALSE(answer.has("* SEARCH"));
  EXPECT_EQ(client.read_response(), "* BYE Kicked");
}

TEST_F(HeldSearch, ends_when_its_client_is_gone) {
  { const Client gone = std::move(client); }
  released.set_value();
  while (gateway.sessions().count() > 0) std::this_thread::yield();
  EXPECT_TRUE(gateway.connect_and_log_in().command("NOOP").ok());
}

}  // namespace
}  // namespace tests
