// Named moments at which a test may kill the process, so that every dangerous step is hit, and counted, on purpose.
// Any thread.
#pragma once

#include <string_view>

namespace wire::base {

// Does nothing unless the environment has FAIRLEAD_KILL_AT=label:n at start: then the n-th passage of `label` is a
// kill -9 of this process, with nothing flushed and nobody told.
void fault_point(std::string_view label);

}  // namespace wire::base
