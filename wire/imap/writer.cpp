#include "wire/imap/writer.h"

#include <algorithm>
#include <charconv>

#include "wire/base/flags.h"

namespace wire::imap {

namespace {

// Longer strings go as literals: some servers bound the length of a line.
constexpr size_t max_quoted = 1024;
constexpr uint64_t literal_minus_limit = 4096;  // RFC 7888 5

}  // namespace

Writer& Writer::number(uint64_t n) {
  char digits[20];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, n);
  return raw(std::string_view(digits, size_t(end - digits)));
}

Writer& Writer::atom(std::string_view s) {
  if (s.empty() || !chars::all(s, chars::atom)) fail();
  return raw(s);
}

bool Writer::quotable(std::string_view s) const {
  return s.size() <= max_quoted &&
         std::all_of(s.begin(), s.end(), [](char c) { return chars::is(c, chars::quoted) || c == '"' || c == '\\'; });
}

Writer& Writer::quoted(std::string_view s) {
  raw('"');
  for (char c : s) {
    if (c == '"' || c == '\\') raw('\\');
    raw(c);
  }
  return raw('"');
}

Writer& Writer::astring(std::string_view s) {
  // NIL as an atom would be read as nothing where a peer takes an nstring.
  if (!s.empty() && s.size() <= max_quoted && chars::all(s, chars::astring) && !base::iequals(s, "NIL")) return raw(s);
  return string(s);
}

Writer& Writer::list_mailbox(std::string_view s) {
  if (!s.empty() && s.size() <= max_quoted && chars::all(s, chars::list)) return raw(s);
  return string(s);
}

Writer& Writer::string(std::string_view s) { return quotable(s) ? quoted(s) : literal(s); }

Writer& Writer::nstring(const std::optional<std::string>& s) { return s ? string(*s) : nil(); }

Writer& Writer::literal(std::string_view s, bool binary) { return literal_header(s.size(), binary).raw(s); }

Writer& Writer::literal_header(uint64_t size, bool binary) {
  bool non_sync = literals_ == Literals::plus || (literals_ == Literals::minus && size <= literal_minus_limit);
  raw(binary ? "~{" : "{").number(size).raw(non_sync ? "+}\r\n" : "}\r\n");
  if (!non_sync && literals_ != Literals::server) sync_points_.push_back(out_.size());
  return *this;
}

Writer& Writer::text(std::string_view s) {
  for (char c : s) raw(c == '\r' || c == '\n' || c == '\0' ? '?' : c);
  return *this;
}

Writer& Writer::slice(const RawSlice& s, std::span<const Literal> literals) {
  std::string_view rest = s.text;
  for (size_t index = s.literal;; ++index) {
    // Line ends in a frame's text stand only after a literal's mark.
    size_t line_end = rest.find("\r\n");
    if (line_end == std::string_view::npos) return raw(rest);
    size_t open = rest.rfind('{', line_end);
    if (open == std::string_view::npos || index >= literals.size() || literals[index].streamed) {
      fail();
      return *this;
    }
    raw(rest.substr(0, open)).literal(literals[index].bytes, literals[index].binary);
    rest.remove_prefix(line_end + 2);
  }
}

}  // namespace wire::imap
