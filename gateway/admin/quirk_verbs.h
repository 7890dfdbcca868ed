// `quirks list` and `quirks check`: need no server and no lock, only the rule files.
#pragma once

#include "gateway/admin/verb.h"

namespace gateway::admin {

VerbResult quirks_list(const config::Config& config);
// {"files":[...]}; none: the configuration's.
VerbResult quirks_check(const config::Config& config, const boost::json::object& args);

}  // namespace gateway::admin
