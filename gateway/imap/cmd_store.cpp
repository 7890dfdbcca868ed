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

// A change of system flags, of messages that have no keywords or keep them: what after() says, on packed flags.
class PackedChange {
 public:
  explicit PackedChange(const storage::FlagChange& change)
      : mode_(change.mode), by_(change.flags.system), simple_(change.flags.keywords.empty()) {}
  // False: after() has to say.
  bool expects(uint64_t before, uint64_t now) const {
    constexpr uint64_t wide = uint64_t{1} << 63;
    if (!simple_ || ((before | now) & wide) != 0) return false;
    switch (mode_) {
      case wire::base::FlagsMode::replace:
        return now == by_;
      case wire::base::FlagsMode::add:
        return now == (before | by_);
      case wire::base::FlagsMode::remove:
        return now == (before & ~by_);
    }
    return false;
  }

 private:
  wire::base::FlagsMode mode_;
  uint64_t by_;
  bool simple_;
};

// How many messages from here on need no word: shown and newest lie alike there, and all is as the client expects.
uint32_t silent_run(const storage::MailboxSnapshot& shown, const storage::MailboxSnapshot& newest, uint32_t begin,
                    uint32_t end, const PackedChange& change) {
  if (begin >= newest.size()) return 0;
  const storage::MessageColumns before = shown.columns(begin, end), now = newest.columns(begin, newest.size());
  const uint32_t n = std::min(before.size(), now.size());
  uint32_t i = 0;
  while (i < n && before.uids[i] == now.uids[i] && change.expects(before.flags[i], now.flags[i])) ++i;
  return i;
}

// .SILENT spares the client what it knows; what came out otherwise it must hear (RFC 3501 6.4.6).
awaitable<void> tell(Session& s, const Selection& selection, const storage::FlagChange& change, bool silent, bool uid) {
  Selected& chosen = *s.selected();
  const auto newest = s.newest();
  const PackedChange packed(change);
  for (const auto& range : selection.ranges()) {
    for (uint32_t i = range.begin; i < range.end; ++i) {
      if (silent && !s.condstore()) {
        const uint32_t n = silent_run(*chosen.view.shown(), *newest, i, range.end, packed);
        if (n > 0) {
          chosen.view.knows(newest->uid(i), newest->uid(i + n - 1), newest);
          i += n - 1;
          continue;
        }
      }
      const View::Now now = chosen.view.now(i, newest);
      if (now.expunged) continue;
      const bool expected = silent && now.in->flags(now.index) == after(chosen.view.shown()->flags(i), change);
      if (!expected) {
        chosen.view.tell_flags(i, newest, s.wording(false), uid, s.out());
      } else if (s.condstore()) {
        chosen.view.tell_modseq(i, newest, true, s.out());
      } else {
        chosen.view.knows(now.in->uid(now.index), newest);
      }
      if (s.full()) co_await s.flush_if_full();
    }
  }
}

// Those of the selection that are in `uids`.
Selection only(const Selection& selection, const storage::MailboxSnapshot& shown, const UidSet& uids) {
  Selection out;
  auto in = uids.ranges().begin();
  for (const auto& range : selection.ranges()) {
    for (uint32_t i = range.begin; i < range.end;) {
      const storage::MessageColumns piece = shown.columns(i, range.end);
      for (uint32_t k = 0; k < piece.size(); ++k) {
        while (in != uids.ranges().end() && in->last.value < piece.uids[k]) ++in;
        if (in == uids.ranges().end()) return out;
        if (in->first.value <= piece.uids[k]) out.add(i + k, i + k + 1);
      }
      i += piece.size();
    }
  }
  return out;
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
  const Selection stored = only(*selection, *chosen.view.shown(), outcome->stored);
  const Selection modified = only(*selection, *chosen.view.shown(), outcome->modified);
  const bool expunged = stored.count() + modified.count() < selection->count();
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
