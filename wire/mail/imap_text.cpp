#include "wire/mail/imap_text.h"

#include <algorithm>
#include <charconv>

namespace wire::mail {
namespace {

// Longer quoted strings overrun the line buffers of some clients.
constexpr size_t max_quoted = 1024;

bool fits_quoted(std::string_view text) {
  return text.size() <= max_quoted && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) >= 0x80 || c == '\r' || c == '\n' || c == '\0';
         });
}

}  // namespace

void write_string(std::string_view text, std::string& out) {
  if (fits_quoted(text)) {
    out += '"';
    for (char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
    return;
  }
  out += '{';
  write_number(text.size(), out);
  out += "}\r\n";
  size_t from = out.size();
  out += text;
  std::replace(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), '\0', '\x80');
}

void write_nstring(const std::optional<std::string>& text, std::string& out) {
  if (text) {
    write_string(*text, out);
  } else {
    out += "NIL";
  }
}

void write_number(uint64_t n, std::string& out) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}

}  // namespace wire::mail
