// What a client may send before it has logged in. Values.
#pragma once

#include "wire/imap/framer.h"

namespace gateway::imap {

// Before a login a stranger gets little memory.
inline constexpr wire::imap::FramerLimits stranger_limits{.max_line = 8 * 1024,
                                                          .max_inline_literal = 8 * 1024,
                                                          .max_literals = 10,
                                                          .max_inline_total = 16 * 1024,
                                                          .max_discard = 64 * 1024};

}  // namespace gateway::imap
