// Every command once over a script: as it should go, fed byte by byte, and with each step failing in turn.
#include "imapc/list.h"
#include "tests/unit/imapc/scripted_connection.h"

namespace imapc {
namespace {

using wire::imap::StatusItems;
using Steps = std::function<void(ScriptedStream&)>;

// Runs the command and says what came of it, in words that the table can state.
using Action = std::function<awaitable<std::string>(Connection&)>;

struct Exchange {
  const char* what;
  const char* capabilities;
  Steps steps;
  Action action;
  const char* outcome;
};

template <class T>
std::string failed(const Result<T>& r) {
  return std::string("failed: ") + std::string(to_string(r.error().code)) + " " + r.error().peer_text;
}

UidSet uids(uint32_t first, uint32_t last) { return UidSet(Uid(first), Uid(last)); }

awaitable<std::string> outcome_of(Call<Nothing> call) {
  const Result<Nothing> r = co_await call.get();
  if (!r) co_return failed(r);
  co_return "ok";
}

awaitable<std::string> copied(Call<Copied> call) {
  const Result<Copied> r = co_await call.get();
  if (!r) co_return failed(r);
  std::string out = std::to_string(r->uid_validity.value) + " ";
  for (const auto& range : r->source.ranges)
    out += std::to_string(range.first.value) + "-" + std::to_string(range.last.value);
  out += ">";
  for (const auto& range : r->uids.ranges)
    out += std::to_string(range.first.value) + "-" + std::to_string(range.last.value);
  co_return out;
}

awaitable<std::string> expunged(Call<Expunged> call) {
  const Result<Expunged> r = co_await call.get();
  if (!r) co_return failed(r);
  std::string out = "seqs";
  for (SeqNo seq : r->seqs) out += " " + std::to_string(seq.value);
  co_return out + " vanished " + r->vanished.to_string();
}

awaitable<std::string> appended(Connection& c, std::string bytes, std::string mailbox) {
  StringReader reader(bytes);
  AppendRequest request;
  request.mailbox = std::move(mailbox);
  request.flags.flags.system = wire::base::seen;
  request.size = bytes.size();
  request.body = &reader;
  Call<Appended> call = c.append(request);
  const Result<Appended> r = co_await call.get();
  if (!r) co_return failed(r);
  co_return std::to_string(r->uid_validity.value) + ":" + std::to_string(r->uid.value);
}

awaitable<std::string> selected(Connection& c, wire::imap::cmd::Select request) {
  Call<Selected> call = c.select(std::move(request));
  const Result<Selected> r = co_await call.get();
  if (!r) co_return failed(r);
  std::string out = "validity=" + std::to_string(r->uid_validity.value) + " next=" + std::to_string(r->uid_next.value) +
                    " modseq=" + std::to_string(r->highest_modseq.value) + " exists=" + std::to_string(r->exists);
  if (r->read_only) out += " ro";
  if (!r->vanished.empty()) out += " vanished=" + r->vanished.to_string();
  for (const FlagChange& change : r->changed) {
    out += " uid" + std::to_string(change.uid.value) + "@" + std::to_string(change.modseq.value);
  }
  co_return out;
}

wire::imap::cmd::Select select_request(const char* mailbox, bool examine) {
  wire::imap::cmd::Select request;
  request.mailbox.octets = mailbox;
  request.examine = examine;
  return request;
}

std::string tree_text(const std::vector<ListedMailbox>& boxes) {
  std::string out;
  for (const ListedMailbox& box : boxes) {
    out += box.name;
    for (const std::string& attribute : box.attributes) out += attribute;
    if (!box.exists) out += "!";
    if (box.subscribed) out += "+";
    if (box.status) out += "(" + std::to_string(box.status->messages.value_or(0)) + ")";
    if (box.status_failure) out += "(" + box.status_failure->peer_text + ")";
    out += " ";
  }
  return out;
}

awaitable<std::string> tree(Connection& c) {
  StatusItems items;
  items.bits = StatusItems::messages | StatusItems::highest_modseq;
  TreeRequest request(items);
  const Result<std::vector<ListedMailbox>> r = co_await list_tree(c, request);
  if (!r) co_return failed(r);
  co_return tree_text(*r);
}

const std::vector<Exchange>& exchanges() {
  static const std::vector<Exchange> all = {
      {"noop", all_capabilities, [](auto& s) { s.expect("f2 NOOP\r\n").supply("f2 OK done\r\n"); },
       [](Connection& c) { return outcome_of(c.noop()); }, "ok"},
      {"create_with_special_use", all_capabilities,
       [](auto& s) { s.expect("f2 CREATE Sent (USE (\\Sent))\r\n").supply("f2 OK done\r\n"); },
       [](Connection& c) { return outcome_of(c.create("Sent", {"\\Sent"})); }, "ok"},
      {"create_without_special_use_where_not_offered", "IMAP4rev1",
       [](auto& s) { s.expect("f2 CREATE Sent\r\n").supply("f2 OK done\r\n"); },
       [](Connection& c) { return outcome_of(c.create("Sent", {"\\Sent"})); }, "ok"},
      {"create_that_exists", all_capabilities,
       [](auto& s) { s.expect("f2 CREATE A\r\n").supply("f2 NO [ALREADYEXISTS] it does\r\n"); },
       [](Connection& c) { return outcome_of(c.create("A")); }, "failed: exists it does"},
      {"delete", all_capabilities, [](auto& s) { s.expect("f2 DELETE \"a b\"\r\n").supply("f2 OK done\r\n"); },
       [](Connection& c) { return outcome_of(c.remove("a b")); }, "ok"},
      {"rename_with_a_literal_that_needs_no_waiting", all_capabilities,
       [](auto& s) { s.expect("f2 RENAME a {2+}\r\n\xc3\xa4\r\n").supply("f2 OK done\r\n"); },
       [](Connection& c) { return outcome_of(c.rename("a", "\xc3\xa4")); }, "ok"},
      {"rename_with_a_literal_that_waits", "IMAP4rev1",
       [](auto& s) {
         s.expect("f2 RENAME a {2}\r\n").supply("+ go\r\n").expect("\xc3\xa4\r\n").supply("f2 OK done\r\n");
       },
       [](Connection& c) { return outcome_of(c.rename("a", "\xc3\xa4")); }, "ok"},
      {"literal_refused_before_it_is_sent", "IMAP4rev1",
       [](auto& s) { s.expect("f2 RENAME a {2}\r\n").supply("f2 BAD no literals here\r\n"); },
       [](Connection& c) { return outcome_of(c.rename("a", "\xc3\xa4")); }, "failed: refused no literals here"},
      {"subscribe", all_capabilities, [](auto& s) { s.expect("f2 SUBSCRIBE a\r\n").supply("f2 OK done\r\n"); },
       [](Connection& c) { return outcome_of(c.subscribe("a")); }, "ok"},
      {"unsubscribe", all_capabilities, [](auto& s) { s.expect("f2 UNSUBSCRIBE a\r\n").supply("f2 OK done\r\n"); },
       [](Connection& c) { return outcome_of(c.unsubscribe("a")); }, "ok"},
      {"namespaces", all_capabilities,
       [](auto& s) {
         s.expect("f2 NAMESPACE\r\n")
             .supply("* NAMESPACE ((\"INBOX.\" \".\")) NIL ((\"shared.\" \".\"))\r\nf2 OK x\r\n");
       },
       [](Connection& c) -> awaitable<std::string> {
         auto call = c.namespaces();
         const auto r = co_await call.get();
         if (!r) co_return failed(r);
         co_return r->personal.at(0).prefix + "|" + r->shared.at(0).prefix;
       },
       "INBOX.|shared."},
      {"status", all_capabilities,
       [](auto& s) {
         s.expect("f2 STATUS a (MESSAGES UIDNEXT)\r\n").supply("* STATUS a (MESSAGES 3 UIDNEXT 9)\r\nf2 OK x\r\n");
       },
       [](Connection& c) -> awaitable<std::string> {
         StatusItems items;
         items.bits = StatusItems::messages | StatusItems::uid_next;
         auto call = c.status("a", items);
         const auto r = co_await call.get();
         if (!r) co_return failed(r);
         co_return std::to_string(*r->messages) + "," + std::to_string(r->uid_next->value);
       },
       "3,9"},
      {"tree_extended_with_status_in_one_command", all_capabilities,
       [](auto& s) {
         s.expect(
             "f2 LIST \"\" * RETURN (SUBSCRIBED CHILDREN SPECIAL-USE STATUS (MESSAGES HIGHESTMODSEQ))\r\n"
             "f3 LIST (SUBSCRIBED) \"\" *\r\n");
         s.supply("* LIST (\\Subscribed) \".\" INBOX\r\n* STATUS INBOX (MESSAGES 4 HIGHESTMODSEQ 9)\r\n");
         s.supply("* LIST (\\Sent) \".\" INBOX.Sent\r\n* STATUS INBOX.Sent (MESSAGES 5 HIGHESTMODSEQ 9)\r\n");
         s.supply("* LIST (\\Noselect) \".\" INBOX.x\r\nf2 OK done\r\n");
         s.supply(
             "* LIST (\\Subscribed) \".\" INBOX\r\n* LIST (\\Subscribed \\NonExistent) \".\" INBOX.gone\r\nf3 OK "
             "x\r\n");
       },
       tree, "INBOX+(4) INBOX.Sent\\Sent(5) INBOX.x\\Noselect INBOX.gone!+ "},
      {"tree_by_list_lsub_and_status", "IMAP4rev1",
       [](auto& s) {
         s.expect("f2 LIST \"\" *\r\nf3 LSUB \"\" *\r\n");
         s.supply("* LIST () \".\" INBOX\r\n* LIST (\\Noselect) \".\" p\r\n* LIST () \".\" p.q\r\nf2 OK done\r\n");
         s.supply("* LSUB () \".\" INBOX\r\n* LSUB (\\Noselect) \".\" p\r\n* LSUB () \".\" old\r\nf3 OK done\r\n");
         s.expect("f4 STATUS INBOX (MESSAGES)\r\nf5 STATUS p.q (MESSAGES)\r\n");
         s.supply("* STATUS INBOX (MESSAGES 7)\r\nf4 OK done\r\nf5 NO corrupt\r\n");
       },
       tree, "INBOX+(7) p\\Noselect p.q(corrupt) old!+ "},
      {"select", all_capabilities,
       [](auto& s) {
         s.expect("f2 SELECT a\r\n");
         s.supply("* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n* 12 EXISTS\r\n* 1 RECENT\r\n");
         s.supply(
             "* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 77] x\r\n* OK [HIGHESTMODSEQ 900] x\r\nf2 OK [READ-WRITE] x\r\n");
       },
       [](Connection& c) { return selected(c, select_request("a", false)); },
       "validity=5 next=77 modseq=900 exists=12"},
      {"examine_read_only_without_modseq", all_capabilities,
       [](auto& s) {
         s.expect("f2 EXAMINE a\r\n");
         s.supply("* 0 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [NOMODSEQ] x\r\nf2 OK [READ-ONLY] x\r\n");
       },
       [](Connection& c) { return selected(c, select_request("a", true)); }, "validity=5 next=0 modseq=0 exists=0 ro"},
      {"select_with_qresync", all_capabilities,
       [](auto& s) {
         s.expect("f2 SELECT a (QRESYNC (5 800 1:70))\r\n");
         s.supply("* 10 EXISTS\r\n* OK [CLOSED] x\r\n* 12 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 77] x\r\n");
         s.supply("* OK [HIGHESTMODSEQ 900] x\r\n* VANISHED (EARLIER) 3:5,9\r\n");
         s.supply("* 2 FETCH (UID 6 FLAGS (\\Seen) MODSEQ (850))\r\nf2 OK [READ-WRITE] x\r\n");
       },
       [](Connection& c) {
         wire::imap::cmd::Select request = select_request("a", false);
         wire::imap::cmd::Qresync qresync;
         qresync.uid_validity = UidValidity(5);
         qresync.modseq = ModSeq(800);
         qresync.known_uids = uids(1, 70);
         request.qresync = qresync;
         return selected(c, request);
       },
       "validity=5 next=77 modseq=900 exists=12 vanished=3:5,9 uid6@850"},
      {"select_of_what_is_not_there", all_capabilities,
       [](auto& s) { s.expect("f2 SELECT a\r\n").supply("f2 NO [NONEXISTENT] gone\r\n"); },
       [](Connection& c) { return selected(c, select_request("a", false)); }, "failed: not_found gone"},
      {"unselect", all_capabilities, [](auto& s) { s.expect("f2 UNSELECT\r\n").supply("f2 OK done\r\n"); },
       [](Connection& c) { return outcome_of(c.unselect()); }, "ok"},
      {"unselect_without_the_command_never_expunges", "IMAP4rev1",
       [](auto& s) {
         s.expect("f2 SELECT a\r\n").supply("f2 OK [READ-WRITE] x\r\n");
         s.expect("f3 EXAMINE INBOX\r\nf4 CLOSE\r\n").supply("* 1 EXISTS\r\nf3 OK [READ-ONLY] x\r\nf4 OK done\r\n");
       },
       [](Connection& c) -> awaitable<std::string> {
         const std::string first = co_await selected(c, select_request("a", false));
         if (first.starts_with("failed")) co_return first;
         co_return co_await outcome_of(c.unselect());
       },
       "ok"},
      {"store_returns_what_the_server_set_and_refused", all_capabilities,
       [](auto& s) {
         s.expect("f2 UID STORE 1:9 (UNCHANGEDSINCE 50) +FLAGS (\\Seen)\r\n");
         s.supply(
             "* 1 FETCH (UID 1 FLAGS (\\Seen kw) MODSEQ (60))\r\n* 2 FETCH (UID 2 MODSEQ (60) FLAGS (\\Seen))\r\n");
         s.supply("f2 OK [MODIFIED 7,9] some failed\r\n");
       },
       [](Connection& c) -> awaitable<std::string> {
         wire::imap::cmd::Store request;
         request.set = wire::imap::SequenceSet::of(uids(1, 9));
         request.unchanged_since = ModSeq(50);
         request.mode = wire::base::FlagsMode::add;
         request.flags.flags.system = wire::base::seen;
         Call<Stored> call = c.uid_store(request);
         const Result<Stored> r = co_await call.get();
         if (!r) co_return failed(r);
         std::string out;
         for (const FlagChange& change : r->changed) {
           out += std::to_string(change.uid.value) + "@" + std::to_string(change.modseq.value) + " ";
         }
         for (const auto& range : r->modified.ranges) out += "!" + std::to_string(range.first);
         co_return out;
       },
       "1@60 2@60 !7!9"},
      {"copy", all_capabilities,
       [](auto& s) { s.expect("f2 UID COPY 1:3 b\r\n").supply("f2 OK [COPYUID 7 1:3 10:12] x\r\n"); },
       [](Connection& c) { return copied(c.uid_copy(uids(1, 3), "b")); }, "7 1-3>10-12"},
      {"copy_to_what_is_not_there", all_capabilities,
       [](auto& s) { s.expect("f2 UID COPY 1:3 b\r\n").supply("f2 NO [TRYCREATE] no b\r\n"); },
       [](Connection& c) { return copied(c.uid_copy(uids(1, 3), "b")); }, "failed: not_found no b"},
      {"move_tells_its_uids_before_it_expunges", all_capabilities,
       [](auto& s) {
         s.expect("f2 UID MOVE 4 b\r\n").supply("* OK [COPYUID 7 4 13] x\r\n* 1 EXPUNGE\r\nf2 OK done\r\n");
       },
       [](Connection& c) { return copied(c.uid_move(uids(4, 4), "b")); }, "7 4-4>13-13"},
      {"expunge", all_capabilities,
       [](auto& s) { s.expect("f2 EXPUNGE\r\n").supply("* 3 EXPUNGE\r\n* 3 EXPUNGE\r\nf2 OK done\r\n"); },
       [](Connection& c) { return expunged(c.expunge()); }, "seqs 3 3 vanished "},
      {"uid_expunge_with_qresync", all_capabilities,
       [](auto& s) { s.expect("f2 UID EXPUNGE 5:6\r\n").supply("* VANISHED 5:6\r\nf2 OK [HIGHESTMODSEQ 9] x\r\n"); },
       [](Connection& c) { return expunged(c.uid_expunge(uids(5, 6))); }, "seqs vanished 5:6"},
      {"search_by_esearch", all_capabilities,
       [](auto& s) {
         s.expect("f2 UID SEARCH RETURN (ALL) UNSEEN\r\n")
             .supply("* ESEARCH (TAG \"f2\") UID ALL 2,10:15\r\nf2 OK x\r\n");
       },
       [](Connection& c) -> awaitable<std::string> {
         wire::imap::cmd::Search search;
         add_key(search, wire::imap::cmd::SearchKey::Op::unseen);
         Call<Found> call = c.uid_search(search);
         const Result<Found> r = co_await call.get();
         if (!r) co_return failed(r);
         co_return r->uids.to_string();
       },
       "2,10:15"},
      {"search_in_any_order", "IMAP4rev1",
       [](auto& s) { s.expect("f2 UID SEARCH ALL\r\n").supply("* SEARCH 9 2 3 1\r\n* SEARCH 4\r\nf2 OK x\r\n"); },
       [](Connection& c) -> awaitable<std::string> {
         wire::imap::cmd::Search search;
         add_key(search, wire::imap::cmd::SearchKey::Op::all);
         Call<Found> call = c.uid_search(search);
         const Result<Found> r = co_await call.get();
         if (!r) co_return failed(r);
         co_return r->uids.to_string();
       },
       "1:4,9"},
      {"append_at_once", all_capabilities,
       [](auto& s) {
         s.expect("f2 APPEND a (\\Seen) {5+}\r\nhello\r\n").supply("* 3 EXISTS\r\nf2 OK [APPENDUID 7 42] x\r\n");
       },
       [](Connection& c) { return appended(c, "hello", "a"); }, "7:42"},
      {"append_with_waiting", "IMAP4rev1",
       [](auto& s) {
         s.expect("f2 APPEND a (\\Seen) {5}\r\n").supply("+ go on\r\n").expect("hello\r\n").supply("f2 OK done\r\n");
       },
       [](Connection& c) { return appended(c, "hello", "a"); }, "0:0"},
      {"append_of_nothing", all_capabilities,
       [](auto& s) { s.expect("f2 APPEND a (\\Seen) {0+}\r\n\r\n").supply("f2 OK done\r\n"); },
       [](Connection& c) { return appended(c, "", "a"); }, "0:0"},
      {"append_refused_before_its_bytes", "IMAP4rev1",
       [](auto& s) { s.expect("f2 APPEND a (\\Seen) {5}\r\n").supply("f2 NO [OVERQUOTA] full\r\n"); },
       [](Connection& c) { return appended(c, "hello", "a"); }, "failed: refused full"},
      {"append_to_a_name_that_waits_twice", "IMAP4rev1",
       [](auto& s) {
         s.expect("f2 APPEND {2}\r\n").supply("+ \r\n").expect("\xc3\xa4 (\\Seen) {5}\r\n").supply("+ \r\n");
         s.expect("hello\r\n").supply("f2 OK done\r\n");
       },
       [](Connection& c) { return appended(c, "hello", "\xc3\xa4"); }, "0:0"},
      {"enable", all_capabilities,
       [](auto& s) { s.expect("f2 ENABLE QRESYNC\r\n").supply("* ENABLED QRESYNC CONDSTORE\r\nf2 OK x\r\n"); },
       [](Connection& c) -> awaitable<std::string> {
         auto call = c.enable({"QRESYNC"});
         const auto r = co_await call.get();
         if (!r) co_return failed(r);
         co_return c.enabled().has("CONDSTORE") ? "ok" : "not noted";
       },
       "ok"},
      {"logout", all_capabilities, [](auto& s) { s.expect("f2 LOGOUT\r\n").supply("* BYE see you\r\nf2 OK done\r\n"); },
       [](Connection& c) -> awaitable<std::string> {
         co_await c.logout();
         co_return c.is_open() ? "open" : "failed: closed ";
       },
       "failed: closed "},
  };
  return all;
}

class ExchangeTest : public ScriptedConnection, public testing::WithParamInterface<size_t> {
 protected:
  const Exchange& exchange() const { return exchanges()[GetParam()]; }

  std::string play(size_t fail_at, size_t read_size) {
    record = ScriptedStream::Record();
    script_login(script(), exchange().capabilities);
    login_steps = script().steps();
    exchange().steps(script());
    script().break_reads(read_size);
    if (fail_at != ~size_t{0}) script().fail_at(login_steps + fail_at);
    const Result<> opened = open();
    if (!opened) return "not opened: " + opened.error().describe();
    std::string outcome;
    auto steps = [&]() -> awaitable<void> { outcome = co_await exchange().action(*connection); };
    run(context, steps());
    return outcome;
  }

  size_t login_steps = 0;
};

INSTANTIATE_TEST_SUITE_P(All, ExchangeTest, testing::Range(size_t{0}, exchanges().size()),
                         [](const auto& test) { return std::string(exchanges()[test.param].what); });

TEST_P(ExchangeTest, ends_as_expected) {
  EXPECT_EQ(play(~size_t{0}, 4096), exchange().outcome);
  EXPECT_EQ(record.mismatch, "");
  EXPECT_TRUE(record.finished);
}

TEST_P(ExchangeTest, ends_as_expected_byte_by_byte) {
  EXPECT_EQ(play(~size_t{0}, 1), exchange().outcome);
  EXPECT_EQ(record.mismatch, "");
}

TEST_P(ExchangeTest, reports_closed_when_any_step_breaks) {
  ScriptedStream counter(context.get_executor());
  exchange().steps(counter);
  for (size_t n = 0; n < counter.steps(); ++n) {
    const std::string outcome = play(n, 4096);
    if (!connection) {  // the break before the first step follows on the login's last byte
      EXPECT_EQ(n, 0u);
      continue;
    }
    EXPECT_TRUE(outcome.starts_with("failed: closed")) << "step " << n << ": " << outcome;
    EXPECT_FALSE(connection->is_open());
  }
}

}  // namespace
}  // namespace imapc
