// ENVELOPE (RFC 3501 7.4.2), always made from the bytes of the header (design I9). Any thread; never fails.
#pragma once

#include <string>
#include <string_view>

namespace wire::mail {

// Appends "(date subject from sender reply-to to cc bcc in-reply-to message-id)".
void write_envelope(std::string_view header, std::string& out);

}  // namespace wire::mail
