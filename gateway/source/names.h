// The choke point of mailbox names (design 3): every name in every command and reply passes here, once each way.
// Names are octets; the served form is the source's own, so that nothing a client has cached changes. What may map
// later (prefix, separator, charset, quirks) maps here and nowhere else. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "wire/base/failure.h"

namespace gateway::source {

inline constexpr size_t max_mailbox_name = 1000;

// From a client to the store and the source: INBOX in any case becomes INBOX. Errc::malformed, Errc::limit.
wire::base::Result<std::string> to_source(std::string_view name);
// From the store or the source to a client.
std::string to_client(std::string_view name);

// Whether a new mailbox may have this name here: modified UTF-7 in its one right form, no wildcard, no control, no
// empty level. (What a source already has is taken as it is.)
wire::base::Result<void> may_create(std::string_view name, char separator);

}  // namespace gateway::source
