// Strings in the text form of IMAP (RFC 3501 4.3), appended to `out`. Any thread.
// Quoted where that is allowed (7-bit, no CR, LF, NUL); else a literal. A literal cannot carry NUL (RFC 3501 9, CHAR8):
// it becomes 0x80, as servers do, so that the octet count holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wire::mail {

void write_string(std::string_view text, std::string& out);
void write_nstring(const std::optional<std::string>& text, std::string& out);  // nullopt: NIL
void write_number(uint64_t n, std::string& out);

}  // namespace wire::mail
