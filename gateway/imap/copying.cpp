#include "gateway/imap/copying.h"

#include "gateway/imap/selection.h"
#include "wire/imap/cmd/copy.h"

namespace gateway::imap {
namespace {

wire::imap::UidList as_list(const std::vector<Uid>& uids) {
  wire::imap::UidList out;
  for (Uid uid : uids) {
    if (!out.ranges.empty() && out.ranges.back().last.next() == uid) {
      out.ranges.back().last = uid;
    } else {
      out.ranges.push_back({uid, uid});
    }
  }
  return out;
}

}  // namespace

RespCode copy_uid_code(const source::CopyOutcome& outcome) {
  if (!outcome.uid_validity || outcome.from.empty()) return {};
  RespCode code(Code::copy_uid);
  code.uid_validity = outcome.uid_validity;
  code.source = as_list(outcome.from);
  code.uids = as_list(outcome.to);
  return code;
}

awaitable<Reply> copy_messages(Session& s, wire::imap::CommandLine& line, bool move) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Copy>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  const Selected& chosen = *s.selected();
  if (move && !chosen.writable) co_return Reply::no(Code::read_only, "Mailbox is read-only");
  auto selection = select_messages(*chosen.view.shown(), args->set, args->uid);
  if (!selection) co_return Reply::bad("Invalid message set");
  s.about(args->mailbox.octets, selection->count());
  if (selection->empty()) co_return Reply::ok("No messages to copy");
  auto uids = selection->uids(*chosen.view.shown());
  auto outcome = co_await s.account().copy(chosen.box, std::move(uids), std::move(args->mailbox.octets), move);
  if (!outcome) co_return reply_to(outcome.error(), s.asker(), Code::try_create);
  RespCode code = copy_uid_code(*outcome);
  if (!move) {
    if (outcome->from.empty()) co_return Reply::ok(Code::expunge_issued, "The messages are expunged already");
    co_return Reply::ok(std::move(code), "Copied");
  }
  // RFC 6851 4.3: the pairs are told before the originals go.
  if (code.code != Code::none) {
    wire::imap::Writer w(s.out());
    w.raw("* OK ");
    write(w, code);
    w.raw(" Moved\r\n");
  }
  s.advance(true);
  if (!s.condstore() || outcome->from.empty()) co_return Reply::ok("Moved");
  RespCode highest(Code::highest_modseq, chosen.view.shown()->info().highest_modseq.value);
  co_return Reply::ok(std::move(highest), "Moved");
}

}  // namespace gateway::imap
