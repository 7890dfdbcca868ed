// RFC 3501 6.3.8, 5258, 5819, 6154.
#include <algorithm>

#include "gateway/imap/commands.h"
#include "gateway/imap/listing.h"
#include "gateway/imap/status.h"
#include "wire/imap/cmd/list.h"

namespace gateway::imap {

namespace {

constexpr size_t together = 200;  // mailboxes whose STATUS is asked at once

bool selectable(const wire::imap::ListData& data) { return !data.has("\\Noselect") && !data.has("\\NonExistent"); }

}  // namespace

awaitable<Reply> cmd_list(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::List>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  if (args->select_recursive_match && !args->select_subscribed && !args->select_special_use) {
    co_return Reply::bad("RECURSIVEMATCH needs another selection option");  // RFC 5258 3.1
  }
  if (unsupported_items(args->return_status)) co_return Reply::bad("Unknown STATUS item");
  auto tree = co_await s.account().tree();
  if (!tree) co_return reply_to(tree.error(), s.asker());
  const auto ok = affordable(**tree, args->reference, args->patterns, only_subscribed(*args));
  if (!ok) co_return reply_to(ok.error(), s.asker());
  auto answer = list(**tree, s.account().separator(), *args);
  s.about(args->reference + (args->patterns.empty() ? std::string() : args->patterns.front()), answer.size());
  const bool with_status = args->return_status.bits != 0;
  if (with_status && args->return_status.has(wire::imap::StatusItems::highest_modseq)) s.enable_condstore();
  for (size_t at = 0; at < answer.size(); at += together) {
    const size_t end = std::min(at + together, answer.size());
    std::vector<std::string> names;
    for (size_t i = at; with_status && i < end; ++i) {
      if (selectable(answer[i])) names.push_back(answer[i].name.octets);
    }
    std::vector<Result<source::MailboxStatus>> told;
    const bool with_size = args->return_status.has(wire::imap::StatusItems::size);
    if (!names.empty()) told = co_await s.account().status_of(std::move(names), with_size);
    size_t next = 0;
    for (size_t i = at; i < end; ++i) {
      wire::imap::Writer w(s.out());
      write_line(w, answer[i]);
      if (with_status && selectable(answer[i])) {
        // RFC 5819 2: a mailbox whose STATUS fails is listed without it.
        const auto& status = told[next++];
        if (status) write_status(s, answer[i].name.octets, args->return_status, *status);
      }
      co_await s.flush_if_full();
    }
  }
  co_return Reply::ok("Listed");
}

}  // namespace gateway::imap
