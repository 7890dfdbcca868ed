// Every command: the client's line is what the server reads, and what is no command is refused.
#include "tests/unit/wire/imap/support.h"
#include "wire/imap/cmd/append.h"
#include "wire/imap/cmd/copy.h"
#include "wire/imap/cmd/expunge.h"
#include "wire/imap/cmd/fetch.h"
#include "wire/imap/cmd/list.h"
#include "wire/imap/cmd/login.h"
#include "wire/imap/cmd/mailbox.h"
#include "wire/imap/cmd/select.h"
#include "wire/imap/cmd/session.h"
#include "wire/imap/cmd/simple.h"
#include "wire/imap/cmd/store.h"

namespace wire::imap::cmd {
namespace {

using base::Errc;
using base::ModSeq;
using base::SeqNo;
using base::SeqSet;
using base::Uid;
using base::UidSet;
using base::UidValidity;
using test::command_args;
using test::expect_command_round_trip;

template <class T>
void expect_refused(std::initializer_list<std::string_view> lines) {
  for (std::string_view line : lines) EXPECT_FALSE(command_args<T>(line).has_value()) << line;
}

SequenceSet set_of(std::string_view text) {
  Cursor c(text);
  SequenceSet set;
  EXPECT_TRUE(parse(c, set));
  return set;
}

TEST(Command, tag_name_and_uid_are_read) {
  struct {
    std::string_view line, tag, name;
    bool uid;
  } cases[] = {{"a1 noop", "a1", "NOOP", false},
               {". uid Fetch 1 FLAGS", ".", "FETCH", true},
               {"A]B XYZ", "A]B", "XYZ", false},
               {"1 LOGIN a b", "1", "LOGIN", false}};
  for (const auto& c : cases) {
    auto line = parse_command(Frame{c.line, {}});
    ASSERT_TRUE(line.has_value()) << c.line;
    EXPECT_EQ(line->tag, c.tag);
    EXPECT_EQ(line->name, c.name);
    EXPECT_EQ(line->uid, c.uid);
  }
  for (std::string_view bad : {"", " ", "a", "a ", "+ x", "a+b NOOP", "a  NOOP", "(a NOOP", "a UID", "a UID ",
                               "a \"x\"", "a xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}) {
    test::Exact text(bad);
    EXPECT_FALSE(parse_command(Frame{text.view(), {}}).has_value()) << bad;
  }
  EXPECT_TRUE(parse_command(Frame{"a NOOP", {}})->no_arguments());
  EXPECT_FALSE(parse_command(Frame{"a NOOP ", {}})->no_arguments());
}

TEST(Command, the_tag_of_a_bad_line_is_found_if_there_is_one) {
  EXPECT_EQ(tag_of("a1 (("), "a1");
  EXPECT_EQ(tag_of("a1"), "a1");
  EXPECT_EQ(tag_of(""), "*");
  EXPECT_EQ(tag_of("+ x"), "*");
  EXPECT_EQ(tag_of("{5}\r\n"), "*");
}

TEST(Login, carries_any_bytes) {
  expect_command_round_trip(Login{"user1", "secret"}, "LOGIN user1 secret");
  expect_command_round_trip(Login{"a b", "p\"w\\"}, "LOGIN \"a b\" \"p\\\"w\\\\\"");
  expect_command_round_trip(Login{"\xc3\xa4", "\r\n"});
  expect_command_round_trip(Login{"", ""});
  expect_refused<Login>({"a LOGIN", "a LOGIN x", "a LOGIN x ", "a LOGIN x y z", "a LOGIN  x y", "a LOGIN (x) y"});
}

TEST(Authenticate, has_an_initial_response_or_none) {
  expect_command_round_trip(Authenticate{"PLAIN", {}}, "AUTHENTICATE PLAIN");
  expect_command_round_trip(Authenticate{"PLAIN", "AGEAYg=="}, "AUTHENTICATE PLAIN AGEAYg==");
  expect_command_round_trip(Authenticate{"EXTERNAL", ""}, "AUTHENTICATE EXTERNAL =");
  EXPECT_EQ(command_args<Authenticate>("a AUTHENTICATE plain")->mechanism, "PLAIN");
  expect_refused<Authenticate>({"a AUTHENTICATE", "a AUTHENTICATE PLAIN ", "a AUTHENTICATE PLAIN a b",
                                "a AUTHENTICATE PLAIN *", "a AUTHENTICATE XXXXXXXXXXXXXXXXXXXXX"});
}

TEST(Session, enable_and_id) {
  expect_command_round_trip(Enable{{"QRESYNC", "CONDSTORE"}}, "ENABLE QRESYNC CONDSTORE");
  expect_refused<Enable>({"a ENABLE", "a ENABLE ", "a ENABLE (X)"});
  expect_command_round_trip(Id{}, "ID NIL");
  IdParams params;
  params.set("name", "a \"b\"");
  params.fields.push_back({"os", std::nullopt});
  expect_command_round_trip(Id{params}, "ID (\"name\" \"a \\\"b\\\"\" \"os\" NIL)");
  expect_refused<Id>({"a ID", "a ID (", "a ID (\"a\")", "a ID (a b)", "a ID x"});
}

TEST(List, plain_and_extended) {
  expect_command_round_trip(List{.reference = "", .patterns = {"*"}}, "LIST \"\" *");
  expect_command_round_trip(List{.reference = "a b", .patterns = {"%/x y"}}, "LIST \"a b\" \"%/x y\"");
  expect_command_round_trip(List{.patterns = {""}}, "LIST \"\" \"\"");
  expect_command_round_trip(List{.extended = true, .patterns = {"*"}}, "LIST \"\" (*)");
  expect_command_round_trip(List{.extended = true, .patterns = {"a", "b%"}}, "LIST \"\" (a b%)");
  expect_command_round_trip(List{.select_subscribed = true,
                                 .select_remote = true,
                                 .select_recursive_match = true,
                                 .select_special_use = true,
                                 .return_subscribed = true,
                                 .return_children = true,
                                 .return_special_use = true,
                                 .return_status = {StatusItems::messages | StatusItems::uid_next},
                                 .extended = true,
                                 .patterns = {"*"}},
                            "LIST (SUBSCRIBED REMOTE RECURSIVEMATCH SPECIAL-USE) \"\" * RETURN (SUBSCRIBED CHILDREN "
                            "SPECIAL-USE STATUS (MESSAGES UIDNEXT))");
  EXPECT_TRUE(command_args<List>("a LIST () \"\" %")->extended);
  EXPECT_TRUE(command_args<List>("a LIST \"\" % RETURN ()")->extended);
  expect_refused<List>({"a LIST", "a LIST x", "a LIST \"\" ()", "a LIST (RECURSIVEMATCH) \"\" *", "a LIST (X) \"\" *",
                        "a LIST \"\" * RETURN", "a LIST \"\" * RETURN (X)", "a LIST \"\" * RETURN (STATUS)",
                        "a LIST \"\" * RETURN (STATUS ())", "a LIST \"\" * x", "a LIST \"\" (a"});
  expect_command_round_trip(Lsub{"", "%"}, "LSUB \"\" %");
  expect_refused<Lsub>({"a LSUB", "a LSUB \"\"", "a LSUB \"\" (a)", "a LSUB \"\" * x"});
  std::string many = "a LIST \"\" (x";
  for (size_t i = 0; i < max_list_patterns; ++i) many += " x";
  EXPECT_EQ(command_args<List>(many + ")").error().code, Errc::limit);
}

TEST(Mailbox, commands_that_name_one) {
  expect_command_round_trip(Create{{"a b"}, {}}, "CREATE \"a b\"");
  expect_command_round_trip(Create{{"x"}, {"\\Sent", "\\Drafts"}}, "CREATE x (USE (\\Sent \\Drafts))");
  expect_refused<Create>({"a CREATE", "a CREATE a b", "a CREATE a (USE)", "a CREATE a (USE (x))", "a CREATE a (X)"});
  expect_command_round_trip(Delete{{"x"}}, "DELETE x");
  expect_command_round_trip(Rename{{"INBOX"}, {"old"}}, "RENAME INBOX old");
  expect_command_round_trip(Subscribe{{"x"}}, "SUBSCRIBE x");
  expect_command_round_trip(Unsubscribe{{"\xc3\xa4"}});
  expect_refused<Delete>({"a DELETE", "a DELETE ", "a DELETE a b", "a DELETE *"});
  expect_refused<Rename>({"a RENAME a", "a RENAME a b c"});
  expect_command_round_trip(Status{{"x"}, {StatusItems::messages | StatusItems::mailbox_id}},
                            "STATUS x (MESSAGES MAILBOXID)");
  expect_refused<Status>(
      {"a STATUS x", "a STATUS x ()", "a STATUS x (FOO)", "a STATUS x MESSAGES", "a STATUS (MESSAGES)"});
}

TEST(Select, with_and_without_resynchronisation) {
  expect_command_round_trip(Select{.mailbox = {"INBOX"}}, "SELECT INBOX");
  expect_command_round_trip(Select{.examine = true, .mailbox = {"x"}, .condstore = true}, "EXAMINE x (CONDSTORE)");
  Qresync q{.uid_validity = UidValidity(67890007), .modseq = ModSeq(20050715194045000)};
  expect_command_round_trip(Select{.mailbox = {"INBOX"}, .qresync = q},
                            "SELECT INBOX (QRESYNC (67890007 20050715194045000))");
  q.known_uids = UidSet(Uid(41), Uid(211));
  expect_command_round_trip(Select{.mailbox = {"INBOX"}, .condstore = true, .qresync = q});
  q.match_seqs = SeqSet(SeqNo(1), SeqNo(3));
  q.match_uids = UidSet(Uid(41), Uid(43));
  expect_command_round_trip(Select{.mailbox = {"INBOX"}, .qresync = q},
                            "SELECT INBOX (QRESYNC (67890007 20050715194045000 41:211 (1:3 41:43)))");
  q.known_uids.reset();
  expect_command_round_trip(Select{.mailbox = {"INBOX"}, .qresync = q});
  expect_refused<Select>({"a SELECT", "a SELECT x (", "a SELECT x (FOO)", "a SELECT x (QRESYNC)",
                          "a SELECT x (QRESYNC (1))", "a SELECT x (QRESYNC (0 1))", "a SELECT x (QRESYNC (1 0))",
                          "a SELECT x (QRESYNC (1 1 *))", "a SELECT x (QRESYNC (1 1 1:2 3))",
                          "a SELECT x (QRESYNC (1 1 (1)))", "a SELECT x y"});
}

TEST(Fetch, items_macros_sections_and_modifiers) {
  EXPECT_EQ(command_args<Fetch>("a FETCH 1 ALL")->items,
            Fetch::flags | Fetch::internal_date | Fetch::rfc822_size | Fetch::envelope);
  EXPECT_EQ(command_args<Fetch>("a FETCH 1 fast")->items, Fetch::flags | Fetch::internal_date | Fetch::rfc822_size);
  EXPECT_TRUE(command_args<Fetch>("a FETCH 1 FULL")->wants(Fetch::body));
  EXPECT_TRUE(command_args<Fetch>("a FETCH 1 BODY")->wants(Fetch::body));
  Fetch f{.uid = true, .set = set_of("1:*"), .items = Fetch::uid_item | Fetch::flags | Fetch::modseq};
  expect_command_round_trip(f, "UID FETCH 1:* (UID FLAGS MODSEQ)");
  f.changed_since = ModSeq(7);
  f.vanished = true;
  expect_command_round_trip(f, "UID FETCH 1:* (UID FLAGS MODSEQ) (CHANGEDSINCE 7 VANISHED)");
  Fetch g{.set = set_of("2,4:7"), .items = 0x7ff};
  g.parts.push_back({.peek = true});
  g.parts.push_back({.section = {.part = {1, 2}, .kind = Section::Kind::mime}, .partial = Partial{5, 20}});
  g.parts.push_back({.peek = true, .section = {.kind = Section::Kind::header_fields, .fields = {"From", "x y"}}});
  g.parts.push_back({.form = Fetch::Part::Form::rfc822});
  g.parts.push_back({.form = Fetch::Part::Form::rfc822_header});
  g.parts.push_back({.form = Fetch::Part::Form::rfc822_text});
  expect_command_round_trip(g);
  EXPECT_FALSE(g.parts[0].sets_seen());
  EXPECT_TRUE(g.parts[1].sets_seen());
  EXPECT_FALSE(g.parts[4].sets_seen());
  expect_refused<Fetch>({"a FETCH", "a FETCH 1", "a FETCH 1 ()", "a FETCH 1 (FOO)", "a FETCH 1 (ALL)",
                         "a FETCH x FLAGS", "a FETCH 1 FLAGS UID", "a FETCH 1 BODY[", "a FETCH 1 BODY[]<0>",
                         "a FETCH 1 BODY.PEEK", "a FETCH 1 ENVELOPE[]", "a FETCH 1 FLAGS (CHANGEDSINCE)",
                         "a FETCH 1 FLAGS (VANISHED)", "a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
                         "a UID FETCH 1 FLAGS (VANISHED)", "a FETCH 0 FLAGS", "a FETCH 1 (FLAGS"});
  std::string many = "a FETCH 1 (BODY[]";
  for (size_t i = 0; i < max_fetch_sections; ++i) many += " BODY[1]";
  EXPECT_EQ(command_args<Fetch>(many + ")").error().code, Errc::limit);
}

TEST(Store, every_mode) {
  Store s{.set = set_of("1:2")};
  s.flags.flags.system = base::seen;
  expect_command_round_trip(s, "STORE 1:2 FLAGS (\\Seen)");
  s.uid = true;
  s.silent = true;
  s.mode = base::FlagsMode::add;
  s.flags.flags.keywords = {"$Junk"};
  s.unchanged_since = ModSeq(12121230045);
  expect_command_round_trip(s, "UID STORE 1:2 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Seen $Junk)");
  s.mode = base::FlagsMode::remove;
  s.flags = {};
  expect_command_round_trip(s);
  EXPECT_EQ(command_args<Store>("a STORE 1 +FLAGS \\Seen kw")->flags.flags.keywords.size(), 1u);
  expect_refused<Store>({"a STORE", "a STORE 1", "a STORE 1 FLAGS", "a STORE 1 FLAGS ", "a STORE 1 FOO (x)",
                         "a STORE 1 FLAGS (\\Recent)", "a STORE 1 FLAGS (\\*)", "a STORE 1 FLAGS (\\Foo)",
                         "a STORE 1 *FLAGS (x)", "a STORE 1 (UNCHANGEDSINCE) FLAGS (x)", "a STORE 1 FLAGS (x) y"});
}

TEST(Copy, copy_and_move) {
  expect_command_round_trip(Copy{.set = set_of("1,3:*"), .mailbox = {"a b"}}, "COPY 1,3:* \"a b\"");
  expect_command_round_trip(Copy{.uid = true, .move = true, .set = set_of("9"), .mailbox = {"Trash"}},
                            "UID MOVE 9 Trash");
  expect_refused<Copy>({"a COPY", "a COPY 1", "a COPY 1 ", "a COPY x y", "a COPY 1 a b"});
}

TEST(Expunge, all_or_by_uid) {
  expect_command_round_trip(Expunge{}, "EXPUNGE");
  expect_command_round_trip(Expunge{.uid = true, .set = set_of("3,5:7")}, "UID EXPUNGE 3,5:7");
  expect_refused<Expunge>({"a EXPUNGE 1", "a UID EXPUNGE", "a UID EXPUNGE x"});
}

TEST(Simple, is_its_name) {
  std::string out;
  Writer w(out);
  write_command(w, "t1", Simple{"NOOP"});
  EXPECT_EQ(out, "t1 NOOP\r\n");
}

TEST(Append, one_message_and_many) {
  std::string line;
  Writer w(line, Literals::plus);
  AppendMessage first{.date = base::InternalDate{1706778000, 60}, .literal = 0, .size = 3};
  first.flags.flags.system = base::seen | base::draft;
  first.flags.flags.keywords = {"kw"};
  AppendMessage second{.literal = 1, .size = 0, .binary = true};
  write_append(w, "a1", {"a b"}, first);
  line += "xyz";
  write_append_next(w, second);
  w.crlf();
  EXPECT_EQ(line, "a1 APPEND \"a b\" (\\Seen \\Draft kw) \" 1-Feb-2024 10:00:00 +0100\" {3+}\r\nxyz ~{0+}\r\n\r\n");
  auto back = command_args<Append>(std::string_view(line).substr(0, line.size() - 2));
  ASSERT_TRUE(back.has_value()) << back.error().note;
  EXPECT_TRUE(*back == (Append{{"a b"}, {first, second}}));
  EXPECT_TRUE(command_args<Append>("a APPEND {1}\r\nx (\\Recent) {2}\r\nyy")->messages[0].literal == 1);
  expect_refused<Append>({"a APPEND", "a APPEND x", "a APPEND x {2}\r\nyy z", "a APPEND x \"yy\"",
                          "a APPEND x () \"date\" {1}\r\ny", "a APPEND x (\\*) {1}\r\ny", "a APPEND x (\\Foo) {1}\r\ny",
                          "a APPEND x () () {1}\r\ny"});
}

TEST(Append, is_known_before_its_bytes_come) {
  Framer framer(Framer::Side::server);
  std::string_view in = "a1 APPEND {1}\r\nb (\\Seen) {99999999}\r\n";
  ASSERT_EQ(framer.next(in).value(), Framer::Event::literal);
  EXPECT_FALSE(parse_append_so_far(framer.text(), framer.literals_so_far()).has_value());
  ASSERT_EQ(framer.next(in).value(), Framer::Event::literal);
  auto append = parse_append_so_far(framer.text(), framer.literals_so_far());
  ASSERT_TRUE(append.has_value()) << append.error().note;
  EXPECT_EQ(append->mailbox.octets, "b");
  EXPECT_EQ(append->messages.back().size, 99999999u);
  EXPECT_EQ(append->messages.back().literal, 1u);
  EXPECT_FALSE(parse_append_so_far("a1 LOGIN x {5}\r\n", framer.literals_so_far()).has_value());
}

}  // namespace
}  // namespace wire::imap::cmd
