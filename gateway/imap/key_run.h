// Reads what SORT and THREAD compare of the messages that a search has found: out of derived data, or else out of their
// headers. On the account's core; the passes run on the searches' pool (slices.h).
#pragma once

#include <functional>
#include <memory>

#include "gateway/derived/sort_keys.h"
#include "gateway/imap/search_run.h"

namespace gateway::imap {

// The keys of job.found[at]. On the pool, one at a time, in any order; owns, or shares, what it uses.
using TakeKeys = std::function<void(size_t at, derived::SortKeys keys)>;

// At least those of `keys` that are set. False: nobody waits for the answer any more. Of messages that cannot be read
// nothing is taken; the client is told.
awaitable<bool> read_keys(Session& s, Slices& slices, std::shared_ptr<const SearchJob> job, derived::WantedKeys keys,
                          TakeKeys take);

}  // namespace gateway::imap
