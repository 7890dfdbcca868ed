// The seam between quirk rules and a connection: what a server has shown becomes a profile, and what the profile says
// not to trust is as if the server did not offer it. Pure; any thread.
#pragma once

#include <string_view>
#include <vector>

#include "gateway/config/config.h"
#include "imapc/connection.h"
#include "quirks/rules.h"

namespace gateway::source {

quirks::Evidence evidence_of(const config::Upstream& upstream, const imapc::Connection& c);

// The profile's part that is about capabilities.
std::vector<std::string_view> distrusted_capabilities(const quirks::Profile& profile);

}  // namespace gateway::source
