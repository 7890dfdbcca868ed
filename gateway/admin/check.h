// `check`: the configuration's problems, those included that only show when its files are used. Reads files only.
#pragma once

#include "gateway/admin/verb.h"

namespace gateway::admin {

VerbResult check(const config::Loaded& loaded, bool effective);

// "fairlead.toml:12: warning: ... (remedy)"
std::string problem_text(const config::Problem& p);

}  // namespace gateway::admin
