// What SEARCH looks at: decoded, converted and folded text. Any thread; CPU heavy, so for a pool (design 5).
// Bounded by SearchLimits; `needle` is always folded (fold.h). Parts that are neither text nor a message are
// skipped, but their MIME headers count (a file name is found).
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "wire/mail/part.h"

namespace wire::mail {

struct SearchLimits {
  size_t part_output = 16 * 1024 * 1024;  // decoded octets looked at per part
};

// The fields of that name, decoded and folded, one a line. Empty if there are none.
std::string folded_field(std::string_view header, std::string_view name);

// HEADER name needle, SUBJECT, FROM, TO, CC, BCC. An empty needle matches if the field exists (RFC 3501 6.4.4).
bool field_contains(std::string_view header, std::string_view name, std::string_view needle);

// Calls visit with each piece of folded text: with `with_header` (TEXT) the message's own header first, then for TEXT
// and BODY alike the headers and text of the parts. Stops early when visit returns false.
void for_each_text(const MessageScan& scan, bool with_header, const SearchLimits& limits,
                   const std::function<bool(std::string_view folded)>& visit);

// The octets, as they lie in the message, of the parts whose text for_each_text() reads.
size_t text_octets(const MessageScan& scan);

// The message's own header as lines "NAME: VALUE", folded, each ended by LF, for a cache: with every LF read as a space
// it is what TEXT looks at, and each line is what a HEADER key looks at. nullopt: this header's text cannot be written
// so; ask the bytes.
std::optional<std::string> folded_header_lines(std::string_view header);
// field_contains() of such lines.
bool line_field_contains(std::string_view lines, std::string_view name, std::string_view needle);

bool body_contains(const MessageScan& scan, std::string_view needle, const SearchLimits& limits = {});
bool text_contains(const MessageScan& scan, std::string_view needle, const SearchLimits& limits = {});

}  // namespace wire::mail
