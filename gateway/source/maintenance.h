// When an account's store is worth a pass that gives space back. Pure; any thread. The pass is Copy::rewrite().
#pragma once

#include <chrono>
#include <cstdint>

namespace gateway::source {

struct MaintenanceFacts {
  uint64_t frames_since = 0;  // that were appended since the last pass, or since it was opened
  bool tried = false;         // a pass was made since it was opened
  std::chrono::seconds idle{0};
  bool busy = false;  // a job has it
};

// Often where much is written, else when nobody waits for the disk.
bool rewrite_is_due(const MaintenanceFacts& facts);

// How long to leave the disk alone after it was used for `used`, so that it is used `share` per cent of the time.
std::chrono::milliseconds rest_after(std::chrono::microseconds used, uint32_t share);

}  // namespace gateway::source
