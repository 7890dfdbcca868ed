// A pass over the bytes of messages, in slices on the searches' pool (slices.h): for what derived data does not answer.
// On the account's core.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gateway/imap/body_batch.h"
#include "gateway/imap/slices.h"

namespace gateway::imap {

// One message that could be read. On the pool, one at a time, in the order of `indexes`; owns, or shares, what it uses.
using LookAtBody = std::function<void(const LoadedBody& body)>;

// `indexes` are of the shown snapshot and outlive the pass. Of a message that cannot be read the client is told: its
// UID and `trouble`; the rest goes on. False: nobody waits for the answer any more.
awaitable<bool> pass_over_bodies(Session& s, Slices& slices, const std::vector<uint32_t>& indexes, BodyNeeds needs,
                                 LookAtBody look, std::string trouble);

}  // namespace gateway::imap
