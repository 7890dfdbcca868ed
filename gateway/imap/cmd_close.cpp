// RFC 3501 6.4.2: removes what is marked \Deleted without saying so; RFC 7162 3.2.8: a QRESYNC client is told the
// HIGHESTMODSEQ, so that it need not ask for those UIDs again.
#include "gateway/imap/commands.h"
#include "gateway/imap/resync.h"

namespace gateway::imap {

awaitable<Reply> cmd_close(Session& s, wire::imap::CommandLine&) {
  s.about(s.selected()->box->info().name, 0);
  if (!s.selected()->writable) {
    s.unselect();
    co_return Reply::ok("Closed");
  }
  // The code says that everything up to it is known, what others did too: that is said first.
  if (s.qresync()) s.advance(true);
  const source::MailboxPtr box = s.selected()->box;
  auto gone = co_await s.account().expunge(box, std::nullopt);
  if (!gone) co_return reply_to(gone.error(), s.asker());
  s.counted(gone->count());
  const MailboxSnapshotPtr shown = s.selected()->view.shown();
  const MailboxSnapshotPtr newest = box->current();
  s.unselect();
  if (!s.qresync() || gone->empty() || box->gone()) co_return Reply::ok("Closed");
  // Others may have changed it during the expunge, and now nothing more can be said: without the code the client asks
  // from where it was.
  if (!lost_only(*shown, *newest, *gone)) co_return Reply::ok("Closed");
  RespCode code(Code::highest_modseq, newest->info().highest_modseq.value);
  co_return Reply::ok(std::move(code), "Closed");
}

}  // namespace gateway::imap
