// Runs a job for one user or many. See verb.h.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gateway/admin/verb.h"

namespace gateway::admin {

// `user` is canonical and exists.
using Job = std::function<awaitable<VerbResult>(std::string user)>;

// One user: that user's document. Several, or `all` (those with an upstream): {"users":[...]} in the order asked; the
// exit status is the gravest. `job` must live until this returns.
awaitable<VerbResult> for_users(Context& context, std::vector<std::string> users, bool all, const Job& job);

}  // namespace gateway::admin
