// Special-use attributes (RFC 6154 2). Values; any thread.
#pragma once

#include <string_view>

namespace gateway::imap {

// "\sent" -> "\Sent"; empty for what cannot be given to a mailbox of ours.
std::string_view canonical_special_use(std::string_view attribute);

}  // namespace gateway::imap
