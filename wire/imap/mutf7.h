// Modified UTF-7 of mailbox names (RFC 3501 5.1.3). Strict: whatever decodes also encodes back to the same bytes.
// Errors: Errc::malformed. Values only; any thread.
#pragma once

#include <string>
#include <string_view>

#include "wire/base/failure.h"

namespace wire::imap {

base::Result<std::string> mutf7_to_utf8(std::string_view name);
base::Result<std::string> utf8_to_mutf7(std::string_view utf8);

}  // namespace wire::imap
