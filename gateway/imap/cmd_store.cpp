// RFC 3501 6.4.6 with UNCHANGEDSINCE (RFC 7162 3.1.3). The replies show what the owner made of it, never what was
// asked.
#include "gateway/imap/commands.h"
#include "gateway/imap/selection.h"
#include "wire/imap/cmd/store.h"

namespace gateway::imap {
namespace {

Flags after(Flags flags, const storage::FlagChange& change) {
  switch (change.mode) {
    case wire::base::FlagsMode::replace:
      return change.flags;
    case wire::base::FlagsMode::add:
      flags.system |= change.flags.system;
      for (const std::string& k : change.flags.keywords) flags.add(k);
      break;
    case wire::base::FlagsMode::remove:
      flags.system &= static_cast<uint8_t>(~change.flags.system);
      for (const std::string& k : change.flags.keywords) flags.remove(k);
      break;
  }
  return flags;
}

// .SILENT spares the client what it knows; what came out otherwise it must hear (RFC 3501 6.4.6).
awaitable<void> tell(Session& s, const Selection& selection, const storage::FlagChange& change, bool silent, bool uid) {
  Selected& chosen = *s.selected();
  const auto newest = s.newest();
  for (const auto& range : selection.ranges()) {
    for (uint32_t i = range.begin; i < range.end; ++i) {
      const View::Now now = chosen.view.now(i, newest);
      if (now.expunged) continue;
      const bool expected = silent && now.in->flags(now.index) == after(chosen.view.shown()->flags(i), change);
      if (!expected) {
        chosen.view.tell_flags(i, newest, s.wording(false), uid, s.out());
      } else if (s.condstore()) {
        chosen.view.tell_modseq(i, newest, true, s.out());
      } else {
        chosen.view.knows(now.in->uid(now.index), *newest, now.index);
      }
    }
    co_await s.flush_if_full();
  }
}

}  // namespace

awaitable<Reply> cmd_store(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Store>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  for (const std::string& keyword : args->flags.flags.keywords) {
    if (keyword.starts_with('\\')) co_return Reply::bad("Unknown system flag");
  }
  const Selected& chosen = *s.selected();
  if (!chosen.writable) co_return Reply::no(Code::read_only, "Mailbox is read-only");
  if (args->unchanged_since) s.enable_condstore();
  auto selection = select_messages(*chosen.view.shown(), args->set, args->uid);
  if (!selection) co_return Reply::bad("Invalid message set");
  s.counted(selection->count());
  if (selection->empty()) co_return Reply::ok("Nothing to store");

  const storage::FlagChange change{args->mode, std::move(args->flags.flags)};
  auto uids = selection->uids(*chosen.view.shown());
  auto outcome = co_await s.account().store(chosen.box, uids, change, args->unchanged_since);
  if (!outcome) co_return reply_to(outcome.error(), s.asker());

  // With UNCHANGEDSINCE the failed ones are not told here: nothing of theirs changed by this command.
  Selection stored;
  bool expunged = false;
  for (const auto& range : selection->ranges()) {
    for (uint32_t i = range.begin; i < range.end; ++i) {
      const Uid uid = chosen.view.shown()->uid(i);
      if (outcome->stored.contains(uid)) {
        stored.add(i, i + 1);
      } else if (!outcome->modified.contains(uid)) {
        expunged = true;
      }
    }
  }
  co_await tell(s, stored, change, args->silent, args->uid);
  if (!outcome->modified.empty()) {
    RespCode code(Code::modified);
    code.modified = name_messages(*chosen.view.shown(), outcome->modified, args->uid);
    co_return Reply::ok(std::move(code), "Conditional store: some messages were changed before");
  }
  if (expunged) co_return Reply::ok(Code::expunge_issued, "Some messages are expunged already");
  co_return Reply::ok("Stored");
}

}  // namespace gateway::imap
