// The part tree of a stored message as byte offsets: nothing is copied, nothing is decoded.
// Values only; any thread. Offsets are octets from the start of the message, ranges are half open.
// The bytes that were scanned must outlive the MessageScan. RFC 2045, RFC 2046.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace wire::mail {

struct Range {
  size_t begin = 0;
  size_t end = 0;
  size_t size() const { return end - begin; }
  std::string_view of(std::string_view bytes) const { return bytes.substr(begin, end - begin); }
  bool operator==(const Range&) const = default;
};

enum class PartKind : uint8_t {
  leaf,       // anything without parts of its own, message/global too: IMAP4rev1 has no structure for it
  multipart,  // children are its body parts; there may be none (no boundary parameter, no boundary line)
  message,    // message/rfc822: exactly one child, the embedded message
};

inline constexpr uint32_t no_part = UINT32_MAX;

struct Part {
  Range header;             // with the empty line that ends it, where there is one
  Range body;               // without the line break that belongs to the boundary after it
  uint32_t body_lines = 0;  // LFs in the body
  uint32_t parent = no_part;
  uint32_t first_child = no_part;
  uint32_t next = no_part;  // the next child of the same parent
  uint16_t depth = 0;       // 0: the message itself
  PartKind kind = PartKind::leaf;
  bool in_digest = false;  // a child of multipart/digest: without a Content-Type it is message/rfc822
  bool opaque = false;     // a limit was reached here: what is inside is not looked at
};

struct MessageScan {
  std::string_view bytes;
  std::vector<Part> parts;  // [0] is the message; parents stand before children, children in their order

  std::string_view header(uint32_t part) const { return parts[part].header.of(bytes); }
  std::string_view body(uint32_t part) const { return parts[part].body.of(bytes); }
};

}  // namespace wire::mail
