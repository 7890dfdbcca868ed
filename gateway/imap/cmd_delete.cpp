// RFC 3501 6.3.4.
#include "gateway/imap/commands.h"
#include "wire/imap/cmd/mailbox.h"

namespace gateway::imap {

awaitable<Reply> cmd_delete(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Delete>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  std::string name = std::move(args->mailbox.octets);
  s.about(name, 0);
  if (wire::base::iequals(name, "INBOX")) co_return Reply::no(Code::cannot, "INBOX cannot be deleted");
  const bool own = s.selected() && s.selected()->box->info().name == name;
  auto done = co_await s.account().remove(std::move(name));
  if (!done) co_return reply_to(done.error(), s.asker());
  // One's own selected mailbox: RFC 3501 leaves it open; here the session is back in the authenticated state.
  if (own) {
    if (s.qresync()) s.out() += "* OK [CLOSED] Mailbox is deleted\r\n";
    s.unselect();
  }
  co_return Reply::ok("Deleted");
}

}  // namespace gateway::imap
