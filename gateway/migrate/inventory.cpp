#include "gateway/migrate/inventory.h"

#include "gateway/source/upstream_authority.h"

namespace gateway::migrate {

using wire::base::Result;

awaitable<Result<std::vector<Uncarried>>> not_carried(source::UserAccountPtr account) {
  std::vector<Uncarried> out;
  auto seen = co_await account->source()->observe_source();
  if (!seen) co_return seen.error();
  if (!seen->shared.empty()) {
    std::string what = "the user sees " + std::to_string(seen->shared.size()) + " mailboxes of others, such as '" +
                       wire::base::escape(seen->shared.front()) + "'";
    out.push_back({"shared", std::move(what)});
  }
  co_return out;
}

awaitable<std::optional<std::string>> could_not_log_in(source::UserAccountPtr account) {
  const source::Services& services = account->services();
  if (account->record().has_own_password || services.config.upstream_login) co_return std::nullopt;
  co_return "'" + account->user() +
      "' has no password here and [auth] upstream_login is false: nobody could log in afterwards; set one with "
      "fairlead "
      "user password " +
      account->user();
}

}  // namespace gateway::migrate
