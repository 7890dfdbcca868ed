// BODY and BODYSTRUCTURE (RFC 3501 7.4.2) of a scanned message. Any thread; never fails; not recursive.
#pragma once

#include <string>

#include "wire/mail/part.h"

namespace wire::mail {

// Appends the parenthesised structure; `extended` is BODYSTRUCTURE, else BODY.
void write_body_structure(const MessageScan& scan, std::string& out, bool extended);

}  // namespace wire::mail
