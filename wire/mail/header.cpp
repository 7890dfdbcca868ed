#include "wire/mail/header.h"

#include <cstring>

#include "wire/base/flags.h"

namespace wire::mail {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// One past the LF of the line at `from`, or the end.
size_t line_end(std::string_view text, size_t from) {
  const void* lf = std::memchr(text.data() + from, '\n', text.size() - from);
  return lf ? static_cast<size_t>(static_cast<const char*>(lf) - text.data()) + 1 : text.size();
}

std::string_view without_line_break(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

bool FieldReader::next(Field& out) {
  if (rest_.empty()) return false;
  size_t first = line_end(rest_, 0);
  if (without_line_break(rest_.substr(0, first)).empty()) {
    rest_ = {};
    return false;
  }
  size_t end = first;
  while (end < rest_.size() && is_blank(rest_[end])) end = line_end(rest_, end);
  out.whole = rest_.substr(0, end);
  rest_.remove_prefix(end);

  size_t colon = out.whole.substr(0, first).find(':');
  // A continuation line at the very start belongs to no field.
  if (colon == std::string_view::npos || is_blank(out.whole.front())) {
    out.name = {};
    out.value = without_line_break(out.whole);
    return true;
  }
  size_t name_end = colon;
  while (name_end > 0 && is_blank(out.whole[name_end - 1])) --name_end;
  out.name = out.whole.substr(0, name_end);
  out.value = without_line_break(out.whole.substr(colon + 1));
  return true;
}

std::optional<Field> find_field(std::string_view header, std::string_view name) {
  FieldReader reader(header);
  for (Field field; reader.next(field);) {
    if (base::iequals(field.name, name)) return field;
  }
  return std::nullopt;
}

std::string unfold(std::string_view value) {
  while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
  std::string out;
  out.reserve(value.size());
  for (size_t at = 0; at < value.size();) {
    size_t end = line_end(value, at);
    out += without_line_break(value.substr(at, end - at));
    at = end;
  }
  return out;
}

std::string_view trim(std::string_view text) {
  auto is_space = [](char c) { return is_blank(c) || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace wire::mail
