// What a user has at the source beyond mail, and whether the user could still log in after a commit: what makes a
// cutover refuse (design 9). On the account's core.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/source/user_account.h"

namespace gateway::migrate {

// Neither carried nor accepted. `kind` is what --accept names: shared, acl, metadata, quota.
struct Uncarried {
  std::string kind, what;
};
awaitable<wire::base::Result<std::vector<Uncarried>>> not_carried(source::UserAccountPtr account);

// Why not, with the remedy; nullopt: the user can.
awaitable<std::optional<std::string>> could_not_log_in(source::UserAccountPtr account);

}  // namespace gateway::migrate
