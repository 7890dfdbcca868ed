// RFC 3501 6.4.5 with CHANGEDSINCE and VANISHED (RFC 7162 3.1.4.1, 3.2.6). What needs no content of messages is
// answered here, straight from the snapshot; the rest in fetch_content.cpp.
#include "gateway/imap/commands.h"
#include "gateway/imap/fetch_content.h"
#include "gateway/imap/resync.h"
#include "wire/imap/date.h"

namespace gateway::imap {
namespace {

constexpr uint16_t not_supported = FetchArgs::save_date | FetchArgs::email_id | FetchArgs::thread_id;

class Item {
 public:
  explicit Item(std::string& out) : out_(out) {}
  std::string& operator()(std::string_view name) {
    if (!first_) out_ += ' ';
    first_ = false;
    out_ += name;
    return out_;
  }

 private:
  std::string& out_;
  bool first_ = true;
};

// One allocation-free line; this is what a client asks of 100,000 messages at once.
void write_light(View& view, const FetchPlan& plan, uint32_t shown_index, const View::Now& now,
                 const MailboxSnapshotPtr& newest, std::string& out) {
  const MailboxSnapshot& in = *now.in;
  out += "* ";
  append_number(out, shown_index + 1);
  out += " FETCH (";
  Item item(out);
  if (plan.with_uid) append_number(item("UID "), in.uid(now.index).value);
  if (plan.with_flags) {
    item("FLAGS (") += view.flag_text(in, now.index);
    out += ')';
    if (!now.expunged) view.knows(in.uid(now.index), newest);
  }
  if (plan.args.wants(FetchArgs::internal_date)) {
    item("INTERNALDATE \"") += wire::imap::to_string(in.message(now.index).date);
    out += '"';
  }
  if (plan.args.wants(FetchArgs::rfc822_size)) append_number(item("RFC822.SIZE "), in.message(now.index).size);
  if (plan.with_modseq) {
    append_number(item("MODSEQ ("), in.modseq(now.index).value);
    out += ')';
  }
  out += ")\r\n";
}

bool passes(const View::Now& now, const FetchPlan& plan) {
  return !plan.args.changed_since || now.in->modseq(now.index) > *plan.args.changed_since;
}

awaitable<uint64_t> fetch_light(Session& s, const FetchPlan& plan, const Selection& selection) {
  View& view = s.selected()->view;
  uint64_t count = 0;
  for (const auto& range : selection.ranges()) {
    for (uint32_t i = range.begin; i < range.end; ++i) {
      const View::Now now = view.now(i, s.newest());
      if (!passes(now, plan)) continue;
      write_light(view, plan, i, now, s.newest(), s.out());
      ++count;
      if (s.full()) co_await s.flush_if_full();
    }
  }
  co_return count;
}

awaitable<void> mark_seen(Session& s, const UidSet& read, const FetchPlan& plan, std::vector<FetchProblem>& problems) {
  Selected& chosen = *s.selected();
  if (!chosen.writable || read.empty()) co_return;
  UidSet due;
  const auto before = s.newest();
  for (const auto& range : read.ranges()) {
    for (uint32_t i = before->lower_bound(range.first); i < before->size() && before->uid(i) <= range.last; ++i) {
      if (!(before->system_flags(i) & wire::base::seen)) due.add(before->uid(i));
    }
  }
  if (due.empty()) co_return;
  auto done = co_await s.account().mark_seen(chosen.box, due);
  if (!done) {
    problems.push_back({due.min(), done.error()});
    co_return;
  }
  const auto newest = s.newest();
  for (const auto& range : due.ranges()) {
    const MailboxSnapshot& shown = *chosen.view.shown();
    for (uint32_t i = shown.lower_bound(range.first); i < shown.size() && shown.uid(i) <= range.last; ++i) {
      chosen.view.tell_flags(i, newest, s.wording(false), plan.with_uid, s.out());
    }
    co_await s.flush_if_full();
  }
}

Reply failed_reply(Session& s, const std::vector<FetchProblem>& problems) {
  const Failure& why = problems.front().why;
  // A damaged message is in the log already: once, by the account, with what to do.
  Reply reply =
      why.code == Errc::corrupt ? Reply::no(Code::corruption, why.note) : reply_to(why, s.asker(), Code::unavailable);
  reply.condition = Condition::no;
  reply.text += " (uid " + std::to_string(problems.front().uid.value);
  if (problems.size() > 1) reply.text += " and " + std::to_string(problems.size() - 1) + " more";
  reply.text += ")";
  return reply;
}

void write_vanished(Session& s, const FetchPlan& plan) {
  const MailboxSnapshot& shown = *s.selected()->view.shown();
  const Uid last(shown.info().uid_next.value > 1 ? shown.info().uid_next.value - 1 : 0);
  const UidSet asked = plan.args.set.resolve(last);
  const UidSet gone = intersect(shown.vanished_since(*plan.args.changed_since), asked);
  if (!gone.empty()) s.out() += "* VANISHED (EARLIER) " + gone.to_string() + "\r\n";
}

}  // namespace

awaitable<Reply> cmd_fetch(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<FetchArgs>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  if (args->items & not_supported) co_return Reply::bad("Unknown FETCH item");
  const FetchPlan plan(std::move(*args));
  if (plan.args.vanished && (!plan.args.uid || !plan.args.changed_since || !s.qresync())) {
    co_return Reply::bad("VANISHED needs UID FETCH, CHANGEDSINCE and an enabled QRESYNC");
  }
  if (plan.with_modseq) s.enable_condstore();
  auto selection = select_messages(*s.selected()->view.shown(), plan.args.set, plan.args.uid);
  if (!selection) co_return Reply::bad("Invalid message set");
  if (plan.args.vanished) write_vanished(s, plan);
  if (!plan.content()) {
    const uint64_t count = co_await fetch_light(s, plan, *selection);
    s.counted(count);
    co_return Reply::ok("Fetched");
  }
  std::vector<uint32_t> indexes;
  for (const auto& range : selection->ranges()) {
    for (uint32_t i = range.begin; i < range.end; ++i) {
      if (passes(s.selected()->view.now(i, s.newest()), plan)) indexes.push_back(i);
    }
  }
  FetchOutcome outcome;
  co_await fetch_content(s, plan, indexes, outcome);
  co_await mark_seen(s, outcome.seen, plan, outcome.problems);
  s.counted(indexes.size() - outcome.problems.size());
  if (!outcome.problems.empty()) co_return failed_reply(s, outcome.problems);
  if (outcome.expunged) co_return Reply::no(Code::expunge_issued, "Some messages are expunged already");
  co_return Reply::ok("Fetched");
}

}  // namespace gateway::imap
