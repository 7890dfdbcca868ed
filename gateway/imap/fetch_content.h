// FETCH of what needs a message's bytes: brings them into the copy, loads them on the pool chunk by chunk, writes the
// replies. Memory is bounded by a chunk (4 MiB) whatever is asked of how many messages of whatever size.
#pragma once

#include <vector>

#include "gateway/imap/fetch_plan.h"
#include "gateway/imap/selection.h"
#include "gateway/imap/session.h"

namespace gateway::imap {

struct FetchProblem {
  Uid uid;
  Failure why;
};

struct FetchOutcome {
  std::vector<FetchProblem> problems;  // messages that could not be had: one message's problem stays its own
  bool expunged = false;               // some were expunged by others, and their bytes are gone
  UidSet seen;                         // whose \Seen is due
};

awaitable<void> fetch_content(Session& s, const FetchPlan& plan, const std::vector<uint32_t>& indexes,
                              FetchOutcome& outcome);

}  // namespace gateway::imap
