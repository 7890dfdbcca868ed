// Whether a session that an administrator opened in a user's name is that user's: else the \Seen that it reads may be
// somebody else's (design 9). Asks only what changes nothing: GETACL, EXAMINE, logins. On the connection's core.
#pragma once

#include <optional>
#include <string>

#include "gateway/source/registry.h"
#include "storage/types.h"

namespace imapc {
class Connection;
}

namespace gateway::migrate {

struct IdentityProof {
  std::optional<bool> is_the_user;  // absent: it cannot be told
  std::string evidence;             // in words; never a secret
};

// `session` was opened by connect_as(). `own_password`: the user's, where it is known.
awaitable<IdentityProof> prove_identity(source::Services& services, const config::Upstream& upstream, std::string user,
                                        std::optional<std::string> own_password, imapc::Connection& session);

// The parts of it that are pure.
enum class Same { yes, no, unclear };
struct Inbox {
  storage::UidValidity uid_validity;
  storage::Uid uid_next;
  uint32_t messages = 0;
  std::string mailbox_id;  // empty: not told
};
// Whether `other`, seen between two looks at ours, is the same mailbox.
Same same_inbox(const Inbox& before, const Inbox& other, const Inbox& after);
// What GETACL INBOX says of whose it is.
Same owner_by_rights(const std::vector<std::string>& acl, const std::string& user, const std::string& admin);

}  // namespace gateway::migrate
