// The offset scanner: one pass over a stored message, not recursive, bounded, never more than linear in its length.
// It cannot fail: whatever a stranger sends has some tree (a message with no header is one empty header and a body).
// Any thread; the bytes must outlive the result. Line ends may be CRLF, LF or mixed; NUL is a byte like others.
// RFC 2046 5.1, read as widely used servers read it: a boundary matches as a prefix of a line, the longest match wins,
// then the innermost; text after it is ignored; a boundary line ends a header as well as a body.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "wire/mail/part.h"

namespace wire::mail {

struct ScanLimits {
  uint16_t depth = 100;         // parts below the message; deeper ones stay inside an opaque leaf
  uint32_t parts = 10'000;      // of one message; with the last one everything that follows is an opaque leaf
  size_t header = 1024 * 1024;  // octets of one header; a part with a longer one is an opaque leaf
};

MessageScan scan(std::string_view message, const ScanLimits& limits = {});
// The result looks into the message: a temporary would be gone.
template <std::same_as<std::string> S>
MessageScan scan(S&& message, const ScanLimits& limits = {}) = delete;

}  // namespace wire::mail
