// Character classes of the IMAP grammar (RFC 3501 9), as one table. Values only; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace wire::imap {

namespace chars {
inline constexpr uint8_t atom = 1;     // ATOM-CHAR
inline constexpr uint8_t astring = 2;  // ASTRING-CHAR: ATOM-CHAR and "]"
inline constexpr uint8_t list = 4;     // list-char: ASTRING-CHAR and wildcards
inline constexpr uint8_t tag = 8;      // ASTRING-CHAR without "+"
inline constexpr uint8_t quoted = 16;  // may stand in a quoted string without a backslash
inline constexpr uint8_t digit = 32;

inline constexpr std::array<uint8_t, 256> table = [] {
  std::array<uint8_t, 256> t{};
  for (int c = 1; c < 128; ++c) {
    bool special = c <= 32 || c == 127 || std::string_view("(){%*\"\\]").find(char(c)) != std::string_view::npos;
    uint8_t bits = 0;
    if (!special) bits |= atom;
    if (!special || c == ']') bits |= astring;
    if ((bits & astring) || c == '%' || c == '*') bits |= list;
    if ((bits & astring) && c != '+') bits |= tag;
    if (c != '\r' && c != '\n' && c != '"' && c != '\\') bits |= quoted;
    if (c >= '0' && c <= '9') bits |= digit;
    t[size_t(c)] = bits;
  }
  return t;
}();

inline constexpr bool is(char c, uint8_t cls) { return (table[uint8_t(c)] & cls) != 0; }
inline constexpr bool all(std::string_view s, uint8_t cls) {
  for (char c : s)
    if (!is(c, cls)) return false;
  return true;
}
inline constexpr char upper(char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; }
}  // namespace chars

}  // namespace wire::imap
