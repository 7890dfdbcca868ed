#include "gateway/admin/render.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/admin/args.h"
#include "gateway/log.h"
#include "gateway/progress_line.h"

namespace gateway::admin {
namespace {

namespace json = boost::json;

TEST(Render, sync_has_the_contract_fields) {
  migrate::SyncReport r;
  r.user = "anna";
  r.mailboxes = 20;
  r.messages = 3;
  r.bytes = 1234567;
  r.seconds = 1.5;
  r.commands = 9;
  const VerbResult v = render(r);
  EXPECT_EQ(v.exit, Exit::done);
  for (const char* key : {"user", "mailboxes", "messages", "bytes", "seconds", "commands"})
    EXPECT_TRUE(v.json.contains(key));
  EXPECT_EQ(v.json.at("bytes").to_number<uint64_t>(), 1234567u);
  EXPECT_EQ(v.text, "anna: 20 mailboxes, 3 messages, 1.2 MB fetched (1.50 s, 9 commands)\n");
}

TEST(Render, sync_that_left_a_message_out_is_a_no_and_names_it) {
  migrate::SyncReport r;
  r.user = "anna";
  r.failed.push_back({"INBOX", 7, "the server sent nothing"});
  const VerbResult v = render(r);
  EXPECT_EQ(v.exit, Exit::no);
  EXPECT_NE(v.text.find("INBOX UID 7: the server sent nothing"), std::string::npos) << v.text;
}

TEST(Render, verify_counts_every_kind_of_difference) {
  migrate::VerifyReport r;
  r.user = "anna";
  r.equal = false;
  r.mailboxes.push_back({"INBOX", true, 5, {}, {}});
  r.mailboxes.push_back({"Sent", false, 7, {{"flags", 2}, {"body", 1}}, {"UID 3: \\Seen here only"}});
  r.not_preservable = {"shared: user.x"};
  const VerbResult v = render(r, true);
  EXPECT_EQ(v.exit, Exit::no);
  EXPECT_FALSE(v.json.at("equal").as_bool());
  const json::array& boxes = v.json.at("mailboxes").as_array();
  ASSERT_EQ(boxes.size(), 2u);
  for (const char* kind : {"uidvalidity", "uidnext", "highestmodseq", "missing", "extra", "flags", "internaldate",
                           "size", "modseq", "body", "uidl", "pop3_order"}) {
    EXPECT_TRUE(boxes[0].as_object().at("differences").as_object().contains(kind)) << kind;
  }
  EXPECT_EQ(boxes[1].as_object().at("differences").as_object().at("flags").to_number<int>(), 2);
  EXPECT_TRUE(v.json.at("subscriptions").as_object().at("equal").as_bool());
  EXPECT_NE(v.text.find("1 mailbox differs"), std::string::npos) << v.text;
  EXPECT_NE(v.text.find("UID 3: \\Seen here only"), std::string::npos) << v.text;
}

TEST(Render, exit_statuses_follow_the_contract) {
  struct Case {
    Errc code;
    Exit exit;
  };
  const Case cases[] = {
      {Errc::usage, Exit::usage},         {Errc::malformed, Exit::usage}, {Errc::not_found, Exit::no},
      {Errc::exists, Exit::no},           {Errc::refused, Exit::no},      {Errc::auth, Exit::no},
      {Errc::unavailable, Exit::not_now}, {Errc::timeout, Exit::not_now}, {Errc::closed, Exit::not_now},
      {Errc::no_space, Exit::not_now},    {Errc::io, Exit::not_now},      {Errc::internal, Exit::not_now}};
  for (const Case& c : cases) EXPECT_EQ(exit_of(Failure(c.code, "x")), c.exit) << to_string(c.code);
}

TEST(Render, peer_text_is_escaped) {
  const VerbResult v = failed("anna", Failure(Errc::refused, "the server said no", "bad\r\n\x1b[31m"));
  EXPECT_EQ(v.text.find('\x1b'), std::string::npos);
  EXPECT_EQ(v.text.find('\r'), std::string::npos);
}

TEST(VerbTable, finds_every_verb_and_no_other) {
  for (const Verb& v : verbs()) EXPECT_EQ(find_verb(v.name), &v);
  for (const char* name : {"", "user", "user ad", "user add ", "zzz", "serve"})
    EXPECT_EQ(find_verb(name), nullptr) << name;
}

TEST(Args, take_what_is_known_and_refuse_the_rest) {
  json::object o;
  o["user"] = "anna";
  o["users"] = json::array{"a", "b"};
  o["full"] = true;
  o["id"] = 7;
  {
    Args a(o);
    EXPECT_EQ(a.text("user"), "anna");
    EXPECT_EQ(a.texts("users").size(), 2u);
    EXPECT_TRUE(a.flag("full"));
    EXPECT_EQ(a.number("id"), 7u);
    EXPECT_FALSE(a.problem());
  }
  {
    Args a(o);
    EXPECT_EQ(a.text("user"), "anna");
    EXPECT_TRUE(a.problem()) << "the other arguments are not known to this verb";
  }
  struct Case {
    const char* name;
    void (*read)(Args&);
  };
  const Case cases[] = {{"a missing text", [](Args& a) { a.text("none"); }},
                        {"a list as a text", [](Args& a) { a.text("users"); }},
                        {"a text as a list", [](Args& a) { a.texts("user"); }},
                        {"a text as a flag", [](Args& a) { a.flag("user"); }},
                        {"a text as a number", [](Args& a) { a.number("user"); }}};
  for (const Case& c : cases) {
    Args a(o);
    c.read(a);
    ASSERT_TRUE(a.problem()) << c.name;
    EXPECT_EQ(a.problem()->code, Errc::usage) << c.name;
  }
}

TEST(ProgressText, tells_rate_and_time_left) {
  migrate::Tally t;
  t.user = "anna";
  t.mailbox = "INBOX.Sent";
  t.messages = 250;
  t.messages_total = 1000;
  t.bytes = 20'000'000;
  EXPECT_EQ(progress_text(t, 10), "anna: 250 of 1000 messages, 20.0 MB (2.0 MB/s), 30 s left [INBOX.Sent]");
  EXPECT_EQ(progress_text(t, 0), "anna: 250 of 1000 messages, 20.0 MB [INBOX.Sent]");
  t.messages_total = 0;
  EXPECT_EQ(progress_text(t, 10), "anna: 250 messages, 20.0 MB (2.0 MB/s) [INBOX.Sent]");
  t.bytes_total = 2 * t.bytes;
  EXPECT_EQ(progress_text(t, 10), "anna: 20.0 MB of 40.0 MB (2.0 MB/s), 10 s left");
}

TEST(JsonText, is_valid_for_any_bytes) {
  EXPECT_EQ(json_text("a\"b\\c\n\xc3\xa9"), "\"a\\\"b\\\\c\\u000a\xc3\xa9\"");
  EXPECT_EQ(json_text("\xff\xc3"), "\"\\u00ff\\u00c3\"");
}

TEST(HumanBytes, rounds) {
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.0 kB");
  EXPECT_EQ(human_bytes(391'000'000), "391.0 MB");
}

}  // namespace
}  // namespace gateway::admin
