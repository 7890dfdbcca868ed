#include "gateway/imap/select.h"

#include "gateway/imap/commands.h"
#include "gateway/imap/resync.h"
#include "wire/imap/cmd/select.h"

namespace gateway::imap {
namespace {

void write_numbers(const storage::MailboxInfo& info, std::string& out) {
  auto code = [&out](std::string_view name, uint64_t n, std::string_view text) {
    out += "* OK [";
    out += name;
    out += ' ';
    append_number(out, n);
    out += "] ";
    out += text;
    out += "\r\n";
  };
  code("UIDVALIDITY", info.uid_validity.value, "UIDs valid");
  code("UIDNEXT", info.uid_next.value, "Predicted next UID");
  code("HIGHESTMODSEQ", info.highest_modseq.value, "Highest");
}

void write_state(Session& s) {
  Selected& chosen = *s.selected();
  const MailboxSnapshot& snapshot = *chosen.view.shown();
  std::string& out = s.out();
  chosen.view.write_flag_lists(snapshot, chosen.writable, out);
  out += "* " + std::to_string(snapshot.size()) + " EXISTS\r\n* " + std::to_string(chosen.view.recent_count()) +
         " RECENT\r\n";
  if (const std::optional<uint32_t> i = snapshot.first_unseen()) {
    out += "* OK [UNSEEN " + std::to_string(*i + 1) + "] First unseen\r\n";
  }
  write_numbers(snapshot.info(), out);
}

}  // namespace

awaitable<Reply> open_mailbox(Session& s, wire::imap::CommandLine& line, bool writable) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Select>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  if (args->qresync && !s.qresync()) co_return Reply::bad("QRESYNC is not enabled");
  s.about(args->mailbox.octets, 0);
  // Even a SELECT that fails closes what was selected (RFC 3501 6.3.1; [CLOSED]: RFC 7162 3.2.11).
  if (s.selected()) {
    s.unselect();
    if (s.qresync()) s.out() += "* OK [CLOSED] Previous mailbox closed\r\n";
  }
  if (args->condstore) s.enable_condstore();
  auto opened = co_await s.account().open(std::move(args->mailbox.octets), writable);
  if (!opened) co_return reply_to(opened.error(), s.asker());
  const source::MailboxPtr box = std::move(*opened);
  const Uid recent_from = writable ? s.account().claim_recent(box) : box->info().first_recent;
  s.select(box, writable, recent_from);
  s.counted(s.selected()->view.exists());
  write_state(s);
  const auto snapshot = s.selected()->view.shown();
  if (args->qresync && args->qresync->uid_validity == snapshot->info().uid_validity) {
    const Resync resync = plan_resync(*snapshot, *args->qresync);
    if (!resync.vanished.empty()) s.out() += "* VANISHED (EARLIER) " + resync.vanished.to_string() + "\r\n";
    for (uint32_t index : resync.changed) {
      s.selected()->view.tell_flags(index, snapshot, s.wording(true), true, s.out());
      co_await s.flush_if_full();
    }
  }
  if (writable) co_return Reply::ok(Code::read_write, "Selected");
  co_return Reply::ok(Code::read_only, "Examined");
}

}  // namespace gateway::imap
