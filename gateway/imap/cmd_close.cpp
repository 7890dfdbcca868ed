// RFC 3501 6.4.2: removes what is marked \Deleted without saying so; RFC 7162 3.2.8: a QRESYNC client is told the
// HIGHESTMODSEQ, so that it need not ask for those UIDs again.
#include "gateway/imap/commands.h"

namespace gateway::imap {

awaitable<Reply> cmd_close(Session& s, wire::imap::CommandLine&) {
  s.about(s.selected()->box->info().name, 0);
  if (!s.selected()->writable) {
    s.unselect();
    co_return Reply::ok("Closed");
  }
  const source::MailboxPtr box = s.selected()->box;
  auto gone = co_await s.account().expunge(box, std::nullopt);
  if (!gone) co_return reply_to(gone.error(), s.asker());
  s.counted(gone->count());
  s.unselect();
  if (!s.qresync() || gone->empty()) co_return Reply::ok("Closed");
  RespCode code(Code::highest_modseq, box->info().highest_modseq.value);
  co_return Reply::ok(std::move(code), "Closed");
}

}  // namespace gateway::imap
