// What a user has at the source beyond mail, and whether the user could still log in after a commit: what makes a
// cutover refuse (design 9). On the account's core.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/source/user_account.h"

namespace gateway::migrate {

// Neither carried nor accepted. `kind` is what --accept names: shared, acl, metadata, quota, sieve.
struct Uncarried {
  std::string kind, what;
};
// The identifiers of one GETACL reply: "INBOX anna lrs bert lrs" -> anna, bert. Pure.
std::vector<std::string> with_rights(const std::string& acl);

struct Inventory {
  std::vector<Uncarried> held_back;
  std::vector<std::string> not_known;  // what could not be found out, for the report
};
awaitable<wire::base::Result<Inventory>> not_carried(source::UserAccountPtr account);

// Why the session that reads is not the user's own; nullopt: it is, or it cannot be told.
awaitable<std::optional<std::string>> not_the_user(source::UserAccountPtr account);

// Why not, with the remedy; nullopt: the user can.
awaitable<std::optional<std::string>> could_not_log_in(source::UserAccountPtr account);

}  // namespace gateway::migrate
