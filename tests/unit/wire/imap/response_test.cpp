#include "wire/imap/response.h"

#include <fstream>
#include <map>
#include <sstream>

#include "tests/unit/wire/imap/support.h"

namespace wire::imap {
namespace {

using base::Errc;
using base::ModSeq;
using base::SeqNo;
using base::Uid;
using base::UidValidity;
using test::Framed;
using test::frames_of;

// A reply and the frame that its views look into.
struct Reply {
  Framed framed;
  base::Result<Response> response = base::Failure(Errc::malformed, "no frame");

  explicit Reply(std::string_view line, const Leniency& leniency = {}) {
    framed = frames_of(Framer::Side::client, std::string(line) + "\r\n", FramerLimits::client());
    if (framed.frames.size() == 1) response = parse_response(framed.frames[0].frame(), leniency);
  }
  std::string written() const {
    std::string out;
    Writer w(out);
    write_response(w, *response, framed.frames[0].frame().literals);
    EXPECT_TRUE(w.ok()) << out;
    return out;
  }
};

template <class T>
T expect(std::string_view line, const Leniency& leniency = {}) {
  Reply reply(line, leniency);
  EXPECT_TRUE(reply.response.has_value()) << line << ": " << reply.response.error().note;
  if (!reply.response) return T();
  T* value = std::get_if<T>(&*reply.response);
  EXPECT_NE(value, nullptr) << line;
  return value ? *value : T();
}

TEST(Response, what_is_written_comes_back_as_the_same_line) {
  for (std::string_view line : {
           "* OK [CAPABILITY IMAP4rev1 IDLE] ready",
           "* OK ready",
           "* PREAUTH hello",
           "* BYE [UNAVAILABLE] gone",
           "a1 OK done",
           "a1 NO [TRYCREATE] no such mailbox",
           "a1 BAD what",
           "a1 OK [APPENDUID 38505 3955] done",
           "a1 OK [APPENDUID 38505 3955:3957] done",
           "a1 OK [COPYUID 38505 304,319:320 3956:3958] done",
           "a1 OK [MODIFIED 7,9] conditional",
           "* OK [PERMANENTFLAGS (\\Answered \\Seen $MDNSent \\*)] limited",
           "* OK [HIGHESTMODSEQ 9223372036854775807] x",
           "* OK [UIDVALIDITY 3857529045] x",
           "* OK [MAILBOXID (M-1_a)] x",
           "* OK [X-FOO \"a]b\" (1 2)] x",
           "* OK [NOMODSEQ] x",
           "* OK [CLOSED] x",
           "a NO [BADCHARSET] x",
           "a NO [BADCHARSET (UTF-8 US-ASCII)] x",
           "a NO [AUTHENTICATIONFAILED] x",
           "+ ",
           "+ Y2hhbGxlbmdl",
           "* CAPABILITY IMAP4rev1 AUTH=PLAIN",
           "* ENABLED",
           "* ENABLED QRESYNC CONDSTORE",
           "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
           "* 0 EXISTS",
           "* 4294967295 RECENT",
           "* 7 EXPUNGE",
           "* VANISHED 1:3,9",
           "* VANISHED (EARLIER) 1",
           "* LIST () NIL \"\"",
           "* LIST (\\HasChildren \\Sent) \"/\" \"a b\"",
           "* LIST (\\Subscribed) \"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\"))",
           "* LIST () \"/\" new (\"OLDNAME\" (old))",
           "* LSUB () \".\" INBOX",
           "* STATUS box (MESSAGES 1 RECENT 2 UIDNEXT 3 UIDVALIDITY 4 UNSEEN 5 HIGHESTMODSEQ 6 SIZE 7 DELETED 8)",
           "* STATUS \"a b\" ()",
           "* SEARCH",
           "* SEARCH 3 1 2",
           "* SEARCH 2 (MODSEQ 917162500)",
           "* ESEARCH (TAG \"a1\") UID MIN 1 MAX 9 ALL 1:3,9 COUNT 4 MODSEQ 7",
           "* ESEARCH",
           "* NAMESPACE ((\"\" \"/\")) NIL ((\"#s.\" \".\")(\"x\" NIL))",
           "* ID NIL",
           "* ID (\"name\" \"x\" \"os\" NIL)",
           "* X-SOMETHING what (ever)",
           "* 12 X-NUMBERED thing",
           "* 1 FETCH (UID 7 FLAGS (\\Seen kw) MODSEQ (65) INTERNALDATE \" 1-Feb-2024 10:00:00 +0100\" RFC822.SIZE "
           "4294967296)",
           "* 1 FETCH (SAVEDATE NIL EMAILID (M1) BODY[9] NIL)",
           "* 1 FETCH (ENVELOPE (\"d\" {3}\r\na\r\n ((NIL NIL \"a\" \"b\"))) BODYSTRUCTURE (\"text\" \"plain\") BODY "
           "(\"t\"))",
           "* 1 FETCH (BODY[] {3}\r\na)b BODY[1.HEADER.FIELDS (From)]<5> {0}\r\n RFC822 {1}\r\nx)",
       }) {
    Reply reply(line);
    ASSERT_TRUE(reply.response.has_value()) << line << ": " << reply.response.error().note;
    EXPECT_EQ(reply.written(), std::string(line) + "\r\n");
    // Cut anywhere, it is another line or none, and nothing behind it is read.
    const std::string& text = reply.framed.frames[0].text;
    for (size_t n = 0; n < text.size(); ++n) {
      test::Exact cut(std::string_view(text).substr(0, n));
      auto part = parse_response(Frame{cut.view(), reply.framed.frames[0].literals});
      if (!part) continue;
      std::string again;
      Writer w(again);
      write_response(w, *part, reply.framed.frames[0].literals);
      EXPECT_NE(again, std::string(line) + "\r\n");
    }
  }
}

TEST(Response, refuses_lines_that_the_grammar_does_not_know) {
  for (std::string_view line : {"",
                                "*",
                                "* ",
                                "+x",
                                "a1",
                                "a1 ",
                                "a1 FOO x",
                                "a1 BYE x",
                                "a1 PREAUTH x",
                                "a1 OK",
                                "* OK",
                                "* OK [UIDNEXT 5",
                                "* 1",
                                "* 1 ",
                                "* 1 EXISTS x",
                                "* 4294967296 EXISTS",
                                "* 0 EXPUNGE",
                                "* 0 FETCH ()",
                                "* 1 FETCH",
                                "* 1 FETCH (",
                                "* 1 FETCH (UID)",
                                "* 1 FETCH (UID 0)",
                                "* 1 FETCH (UID 1 FLAGS)",
                                "* 1 FETCH (FLAGS (\\Seen)",
                                "* 1 FETCH (MODSEQ 1)",
                                "* 1 FETCH (BODY[] x)",
                                "* 1 FETCH (BODY[ NIL)",
                                "* 1 FETCH (BODY[]<> NIL)",
                                "* 1 FETCH (ENVELOPE)",
                                "* 1 FETCH (UID 1) x",
                                "* 1 FETCH (RFC822.SIZE 9223372036854775808)",
                                "* FLAGS",
                                "* FLAGS (",
                                "* LIST",
                                "* LIST ()",
                                "* LIST () \"/\"",
                                "* LIST () \"ab\" x",
                                "* LIST (x) \"/\" y",
                                "* SEARCH x",
                                "* SEARCH 0",
                                "* SEARCH 1 (MODSEQ)",
                                "* VANISHED",
                                "* VANISHED *",
                                "* VANISHED (LATER) 1",
                                "* STATUS",
                                "* STATUS x",
                                "* STATUS x (MESSAGES)",
                                "* STATUS x (MESSAGES -1)",
                                "* NAMESPACE",
                                "* NAMESPACE NIL NIL",
                                "* ID",
                                "* ID (\"a\")",
                                "* ESEARCH MIN",
                                "* ESEARCH (TAG)"}) {
    EXPECT_FALSE(Reply(line).response.has_value()) << line;
  }
}

TEST(Response, a_code_that_cannot_be_read_does_not_spoil_its_status) {
  for (std::string_view code : {"UIDNEXT", "UIDNEXT x", "APPENDUID 1", "COPYUID 1 2", "PERMANENTFLAGS x", "ALERT extra",
                                "", "REFERRAL imap://x/;AUTH=*", "MODIFIED", "UIDVALIDITY 99999999999999999999"}) {
    Status s = expect<Status>("a1 OK [" + std::string(code) + "] text");
    EXPECT_EQ(s.code.code, Code::other) << code;
    EXPECT_EQ(s.code.text, code);
    EXPECT_EQ(s.text, "text");
  }
}

TEST(Response, status_values) {
  Status s = expect<Status>("a1 OK [COPYUID 38505 304,319:320 3956:3958] Done");
  EXPECT_EQ(s.tag, "a1");
  EXPECT_EQ(s.code.code, Code::copy_uid);
  EXPECT_EQ(s.code.uid_validity, UidValidity(38505));
  EXPECT_EQ(s.code.source.count(), s.code.uids.count());
  EXPECT_EQ(expect<Status>("* OK [UIDNEXT 4392] x").code.number, 4392u);
  EXPECT_EQ(expect<Status>("a1 ok [read-only] x").code.code, Code::read_only);
  EXPECT_EQ(expect<Status>("a1 OK [READ-WRITE]").text, "");
  EXPECT_EQ(expect<Status>("a1 OK", {.no_status_text = true}).condition, Condition::ok);
  EXPECT_EQ(expect<Continuation>("+", {.no_status_text = true}).text, "");
}

TEST(Response, a_peers_text_cannot_become_a_code_or_a_line) {
  for (std::string_view text : {"[ALERT] x", "a\r\nb OK x"}) {
    std::string out;
    Writer w(out);
    write_line(w, Status{.tag = "a", .text = std::string(text)});
    EXPECT_TRUE(!w.ok() || out.find("\r\n") == out.size() - 2) << out;
  }
}

TEST(Response, fetch_values) {
  Reply reply(
      "* 12 FETCH (FLAGS (\\Seen $A) UID 99 MODSEQ (624140003) X-UNKNOWN (a (b \"c)\" {1}\r\n))) BINARY[1.2]<0> "
      "{2}\r\nzz "
      "BODY[HEADER]<7> \"q\\\"q\" BODY[TEXT] {4}\r\nabcd RFC822.HEADER NIL THREADID (NIL) EMAILID (M6d) "
      "SAVEDATE \"21-Nov-2026 22:22:29 +0000\")");
  ASSERT_TRUE(reply.response.has_value()) << reply.response.error().note;
  const auto& f = std::get<FetchData>(*reply.response);
  EXPECT_EQ(f.seq, SeqNo(12));
  EXPECT_EQ(f.uid, Uid(99));
  EXPECT_EQ(f.modseq, ModSeq(624140003));
  EXPECT_TRUE(f.flags->flags.has("$a"));
  ASSERT_EQ(f.sections.size(), 3u);
  EXPECT_EQ(f.sections[0].origin, 7u);
  EXPECT_EQ(f.sections[0].section.kind, Section::Kind::header);
  EXPECT_EQ(f.sections[0].value.bytes(), "q\"q");
  EXPECT_EQ(f.sections[1].value.bytes(), "abcd");
  EXPECT_EQ(f.sections[1].value.literal, 2u);
  EXPECT_EQ(f.sections[2].form, FetchSection::Form::rfc822_header);
  EXPECT_EQ(f.sections[2].value.kind, StringRef::Kind::nil);
  EXPECT_EQ(f.email_id, "M6d");
  EXPECT_EQ(f.thread_id, "");
  EXPECT_TRUE(f.save_date.has_value());
}

TEST(Response, the_owner_of_a_coming_literal_is_known_before_its_bytes) {
  struct {
    std::string_view text;
    bool body;
    uint32_t uid;
  } cases[] = {{"* 3 FETCH (UID 7 BODY[] {100000}", true, 7},
               {"* 3 FETCH (BODY[1.2]<0> {100000}", true, 0},
               {"* 3 FETCH (UID 8 BODY[HEADER] {2}\r\nxx RFC822 {100000}", true, 8},
               {"* 3 FETCH (UID 7 ENVELOPE (NIL {100000}", false, 7},
               {"* 3 FETCH (UID 7 BODYSTRUCTURE {100000}", false, 7},
               {"* 3 FETCH (BODY[HEADER.FIELDS ({100000}", false, 0},
               {"* LIST () \"/\" {100000}", false, 0}};
  for (const auto& c : cases) {
    Framer framer(Framer::Side::client);
    std::string input = std::string(c.text) + "\r\n";
    std::string_view in = input;
    auto event = framer.next(in);
    while (event && *event == Framer::Event::literal && framer.announced().size != 100000) event = framer.next(in);
    ASSERT_TRUE(event && *event == Framer::Event::literal) << c.text;
    FetchData data;
    auto owner = fetch_literal_owner(framer.text(), framer.literals_so_far(), data);
    EXPECT_EQ(owner.has_value(), c.body) << c.text;
    if (!owner) continue;
    EXPECT_EQ(owner->value.kind, StringRef::Kind::streamed);
    EXPECT_EQ(owner->value.size, 100000u);
    EXPECT_EQ(data.uid.value_or(Uid()), Uid(c.uid));
    EXPECT_EQ(data.seq, SeqNo(3));
  }
}

TEST(Response, a_streamed_body_is_a_handle_in_its_reply) {
  Framer framer(Framer::Side::client);
  std::string_view in = "* 3 FETCH (BODY[] {5}\r\nhello UID 9)\r\n";
  ASSERT_EQ(framer.next(in).value(), Framer::Event::literal);
  framer.stream();
  ASSERT_EQ(framer.next(in).value(), Framer::Event::chunk);
  ASSERT_EQ(framer.next(in).value(), Framer::Event::frame);
  auto response = parse_response(framer.frame());
  ASSERT_TRUE(response.has_value());
  const auto& f = std::get<FetchData>(*response);
  EXPECT_EQ(f.sections[0].value.kind, StringRef::Kind::streamed);
  EXPECT_EQ(f.sections[0].value.size, 5u);
  EXPECT_EQ(f.uid, Uid(9));
}

TEST(Response, three_thousand_parentheses_are_a_limit) {
  for (std::string_view item : {"ENVELOPE", "BODYSTRUCTURE", "BODY", "X-UNKNOWN"}) {
    Reply reply("* 1 FETCH (" + std::string(item) + " " + std::string(3000, '(') + std::string(3000, ')') + ")");
    ASSERT_FALSE(reply.response.has_value());
    EXPECT_EQ(reply.response.error().code, Errc::limit);
    // No tolerance removes a bound.
    Reply lenient("* 1 FETCH (" + std::string(item) + " " + std::string(3000, '(') + ")", {.bad_response = true});
    EXPECT_FALSE(lenient.response.has_value());
  }
}

TEST(Response, tolerates_bad_data_only_when_told) {
  EXPECT_FALSE(Reply("* LIST (x) \"/\" y").response.has_value());
  EXPECT_EQ(expect<UnknownData>("* LIST (x) \"/\" y", {.bad_response = true}).text, "LIST (x) \"/\" y");
  // A tagged line decides over a command: never guessed.
  EXPECT_FALSE(Reply("a1 FOO x", {.bad_response = true}).response.has_value());
  Leniency spaces{.extra_space = true};
  EXPECT_EQ(expect<SearchData>("* SEARCH 1 2 ", spaces).numbers.size(), 2u);
  EXPECT_EQ(expect<CapabilityData>("* CAPABILITY IMAP4rev1  IDLE ", spaces).capabilities.names().size(), 2u);
  EXPECT_EQ(expect<FetchData>("* 1 FETCH ( UID 3 FLAGS ( ) )", spaces).uid, Uid(3));
}

TEST(FetchWriter, writes_what_the_parser_reads) {
  std::string out;
  Writer w(out);
  FetchWriter f(w, SeqNo(5));
  f.uid(Uid(7));
  f.flags({});
  f.envelope("(NIL)");
  f.section({.section = {.part = {1}, .kind = Section::Kind::mime}}, "a\r\n");
  f.section_nil({.form = FetchSection::Form::rfc822_text});
  f.section_header({.origin = 4}, 3);
  w.raw("xyz");
  f.thread_id("");
  f.end();
  EXPECT_EQ(out,
            "* 5 FETCH (UID 7 FLAGS () ENVELOPE (NIL) BODY[1.MIME] {3}\r\na\r\n RFC822.TEXT NIL BODY[]<4> {3}\r\nxyz "
            "THREADID NIL)\r\n");
  Reply reply(std::string_view(out).substr(0, out.size() - 2));
  ASSERT_TRUE(reply.response.has_value());
  EXPECT_EQ(std::get<FetchData>(*reply.response).sections.size(), 3u);
}

struct Server {
  std::string_view file;
  size_t lines, fetches, unknown;
};

class RealServer : public testing::TestWithParam<Server> {};

// Everything that real servers said is read strictly, and says the same after being written by us.
TEST_P(RealServer, every_line_is_read_and_survives_being_written) {
  std::ifstream file(std::string(FAIRLEAD_FIXTURES) + "/imap/" + std::string(GetParam().file), std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  Framed framed = frames_of(Framer::Side::client, all.str(), FramerLimits::client());
  EXPECT_EQ(framed.error, "");
  EXPECT_TRUE(framed.idle);
  EXPECT_EQ(framed.frames.size(), GetParam().lines);
  size_t fetches = 0, unknown = 0;
  for (const auto& owned : framed.frames) {
    auto response = parse_response(owned.frame());
    ASSERT_TRUE(response.has_value()) << owned.text << ": " << response.error().note;
    fetches += std::holds_alternative<FetchData>(*response);
    unknown += std::holds_alternative<UnknownData>(*response);
    std::string once, twice;
    Writer w1(once), w2(twice);
    write_response(w1, *response, owned.frame().literals);
    ASSERT_TRUE(w1.ok()) << owned.text;
    Framed again = frames_of(Framer::Side::client, once, FramerLimits::client());
    ASSERT_EQ(again.frames.size(), 1u) << once;
    auto back = parse_response(again.frames[0].frame());
    ASSERT_TRUE(back.has_value()) << once;
    write_response(w2, *back, again.frames[0].frame().literals);
    EXPECT_EQ(once, twice);
    EXPECT_EQ(response->index(), back->index());
  }
  EXPECT_EQ(fetches, GetParam().fetches);
  EXPECT_EQ(unknown, GetParam().unknown);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, RealServer,
                         testing::Values(Server{"cyrus-3.6.txt", 133, 27, 0}, Server{"courier-5.txt", 89, 11, 0},
                                         Server{"dovecot-2.3.txt", 118, 19, 0}));

TEST(RealServer, a_mailbox_id_of_freed_memory_is_dropped) {
  StatusData s = expect<StatusData>("* STATUS INBOX (MAILBOXID (0*\xfa\xc3\x01U) SIZE 1540 HIGHESTMODSEQ 5)");
  EXPECT_EQ(s.mailbox_id, "");
  EXPECT_EQ(s.size, 1540u);
  EXPECT_EQ(s.highest_modseq, ModSeq(5));
}

}  // namespace
}  // namespace wire::imap
