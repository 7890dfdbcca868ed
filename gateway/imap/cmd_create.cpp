// RFC 3501 6.3.3, with special uses (RFC 6154 3).
#include "gateway/imap/commands.h"
#include "gateway/imap/special_use.h"
#include "wire/imap/cmd/mailbox.h"

namespace gateway::imap {

awaitable<Reply> cmd_create(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<wire::imap::cmd::Create>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  std::string name = std::move(args->mailbox.octets);
  s.about(name, 0);
  // A separator at the end says that names below it will follow, and is not part of the name.
  if (name.size() > 1 && name.back() == s.account().separator()) name.pop_back();
  std::vector<std::string> uses;
  for (const std::string& use : args->use) {
    const std::string_view known = canonical_special_use(use);
    if (known.empty()) co_return Reply::no(Code::use_attr, "This special use is not supported");
    uses.emplace_back(known);
  }
  const bool special = !uses.empty();
  auto done = co_await s.account().create(std::move(name), std::move(uses));
  if (!done && special && (done.error().code == Errc::unsupported || done.error().code == Errc::conflict)) {
    co_return Reply::no(Code::use_attr, done.error().note);
  }
  if (!done && done.error().code == Errc::malformed) co_return Reply::no(Code::cannot, done.error().note);
  if (!done) co_return reply_to(done.error(), s.asker());
  co_return Reply::ok("Created");
}

}  // namespace gateway::imap
