// The frames that bring what the log alone gives to what index.snap and the log give: after damage, frames that nobody
// can read any more are known to the snapshot. Private to storage; no I/O but loading mailboxes.
#pragma once

#include <functional>

#include "storage/state.h"

namespace storage {

// `put` gets the changes in an order in which they apply to `log`. Errc::io: a mailbox cannot be read.
Result<void> diff_states(const AccountState& log, const AccountState& known,
                         const std::function<Result<void>(const record::Op&)>& put);

}  // namespace storage
