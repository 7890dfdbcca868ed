// The reports of gateway/migrate as the contract's documents and as text for people. Pure; any thread.
#pragma once

#include "gateway/admin/verb.h"

namespace gateway::admin {

VerbResult render(const migrate::SyncReport& r);
VerbResult render(const migrate::VerifyReport& r, bool full);
VerbResult render(const migrate::CutoverReport& r);
VerbResult render(const migrate::RollbackReport& r);
VerbResult render(const migrate::ProbeReport& r);

// "12.3 MB", "980 B".
std::string human_bytes(uint64_t bytes);

}  // namespace gateway::admin
