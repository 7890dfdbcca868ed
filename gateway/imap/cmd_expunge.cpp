// RFC 3501 6.4.3 and UID EXPUNGE (RFC 4315 2.1).
#include "gateway/imap/commands.h"
#include "gateway/imap/selection.h"
#include "wire/imap/cmd/expunge.h"

namespace gateway::imap {

awaitable<Reply> cmd_expunge(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Expunge>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  const Selected& chosen = *s.selected();
  if (!chosen.writable) co_return Reply::no(Code::read_only, "Mailbox is read-only");
  std::optional<UidSet> only;
  if (args->uid) only = select_messages(*chosen.view.shown(), args->set, true)->uids(*chosen.view.shown());
  auto gone = co_await s.account().expunge(chosen.box, std::move(only));
  if (!gone) co_return reply_to(gone.error(), s.asker());
  s.counted(gone->count());
  s.advance(true);
  if (!s.condstore() || gone->empty()) co_return Reply::ok("Expunged");
  RespCode code(Code::highest_modseq, chosen.view.shown()->info().highest_modseq.value);  // RFC 7162 3.2.7
  co_return Reply::ok(std::move(code), "Expunged");
}

}  // namespace gateway::imap
