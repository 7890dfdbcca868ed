// When an account's store is worth a pass that gives space back, and what else is due. Pure; any thread. The work is
// Copy's: rewrite(), tidy(), checkpoint().
#pragma once

#include <chrono>
#include <cstdint>

namespace gateway::source {

struct MaintenanceFacts {
  uint64_t frames_since = 0;      // that were appended since the last pass, or since it was opened
  bool tried = false;             // a pass was made since it was opened
  bool more = false;              // the last one gave something back, or could not be made: look again
  std::chrono::seconds since{0};  // the last pass
  std::chrono::seconds idle{0};
  bool busy = false;      // a job has it
  bool leftover = false;  // the time of a replaced file has come
  uint64_t tail = 0;      // frames that opening would read if the process ended now
};

struct MaintenanceDue {
  bool rewrite = false;
  bool tidy = false;        // a pass does that as well
  bool checkpoint = false;  // a pass that gains something does that as well
  bool operator==(const MaintenanceDue&) const = default;
};

// Rewriting often where much is written, else when nobody waits for the disk.
MaintenanceDue maintenance_due(const MaintenanceFacts& facts, std::chrono::seconds idle_enough);

// Whether to look after an account that nobody has open: when the node is quiet; where it never is, now and then.
struct VisitFacts {
  bool job = false;                   // one runs, of whichever account
  std::chrono::seconds unused{0};     // since any account was opened for somebody
  std::chrono::seconds unquiet{0};    // since the node was quiet
  std::chrono::seconds unvisited{0};  // since the last such look
};
bool may_visit(const VisitFacts& facts, std::chrono::seconds idle_enough);

// How often to ask, so that what is due after `idle_enough` is not done much later.
std::chrono::milliseconds maintenance_period(std::chrono::seconds idle_enough);

// How long to leave the disk alone after it was used for `used`, so that it is used `share` per cent of the time.
std::chrono::milliseconds rest_after(std::chrono::microseconds used, uint32_t share);

// How long no further index.snap is written after one that took `took`: it is as large as the account, and mail that
// comes in fast must not cost one for every few messages.
std::chrono::milliseconds checkpoint_rest(std::chrono::milliseconds took);

}  // namespace gateway::source
