// The one message of SASL PLAIN (RFC 4616) in base64: [authzid] NUL authcid NUL passwd. Holds a secret. Values; any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "wire/base/failure.h"

namespace gateway::imap {

struct SaslPlain {
  std::string authzid, user, password;
};

// Errc::malformed: not strict base64 (RFC 4648, padded), not three parts, no user.
wire::base::Result<SaslPlain> parse_sasl_plain(std::string_view base64);

}  // namespace gateway::imap
