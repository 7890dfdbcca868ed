// RFC 3501 6.3.8, 5258, 5819, 6154.
#include "gateway/imap/commands.h"
#include "gateway/imap/listing.h"
#include "gateway/imap/status.h"
#include "wire/imap/cmd/list.h"

namespace gateway::imap {

awaitable<Reply> cmd_list(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::List>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  if (args->select_recursive_match && !args->select_subscribed && !args->select_special_use) {
    co_return Reply::bad("RECURSIVEMATCH needs another selection option");  // RFC 5258 3.1
  }
  if (unsupported_items(args->return_status)) co_return Reply::bad("Unknown STATUS item");
  auto tree = co_await s.account().tree();
  if (!tree) co_return reply_to(tree.error(), s.asker());
  if (auto ok = affordable(**tree, args->reference, args->patterns); !ok) co_return reply_to(ok.error(), s.asker());
  auto answer = list(**tree, s.account().separator(), *args);
  s.about(args->reference + (args->patterns.empty() ? std::string() : args->patterns.front()), answer.size());
  for (const auto& data : answer) {
    wire::imap::Writer w(s.out());
    write_line(w, data);
    const bool can = !data.has("\\Noselect") && !data.has("\\NonExistent");
    if (args->return_status.bits != 0 && can) {
      // RFC 5819 2: a mailbox whose STATUS fails is listed without it.
      auto told = co_await write_status(s, data.name.octets, args->return_status);
      if (!told) (void)told.error();
    }
    co_await s.flush_if_full();
  }
  co_return Reply::ok("Listed");
}

}  // namespace gateway::imap
