#include "pop3c/reply.h"

#include <charconv>

#include "wire/base/flags.h"

namespace pop3c {

namespace {

constexpr size_t max_uidl_bytes = 255;

bool starts(std::string_view line, std::string_view word) {
  return wire::base::iequals(line.substr(0, word.size()), word) &&
         (line.size() == word.size() || line[word.size()] == ' ');
}

// Takes a decimal number off the front; no sign, no blanks.
bool take_number(std::string_view& s, uint64_t& out) {
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), out);
  if (error != std::errc() || s.empty() || s[0] == '-') return false;
  s.remove_prefix(static_cast<size_t>(end - s.data()));
  return true;
}

bool take_space(std::string_view& s) {
  if (!s.starts_with(' ')) return false;
  while (s.starts_with(' ')) s.remove_prefix(1);
  return true;
}

}  // namespace

Result<Reply> parse_reply(std::string_view line) {
  Reply out;
  size_t skip = 0;
  if (starts(line, "+OK")) {
    skip = 3;
  } else if (starts(line, "-ERR")) {
    out.kind = Reply::Kind::error;
    skip = 4;
  } else if (line == "+" || line.starts_with("+ ")) {
    out.kind = Reply::Kind::challenge;
    skip = 1;
  } else {
    return Failure(Errc::malformed, "the server did not answer in POP3", std::string(line.substr(0, 200)));
  }
  std::string_view text = line.substr(skip);
  if (text.starts_with(' ')) text.remove_prefix(1);
  if (out.kind == Reply::Kind::error && text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end != std::string_view::npos) {
      for (const char c : text.substr(1, end - 1))
        out.code += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      text.remove_prefix(end + 1);
      if (text.starts_with(' ')) text.remove_prefix(1);
    }
  }
  out.text = text;
  return out;
}

Failure refusal(const Reply& reply, const char* command) {
  Errc code = Errc::refused;
  if (reply.code == "AUTH") code = Errc::auth;
  if (reply.code == "IN-USE" || reply.code == "LOGIN-DELAY" || reply.code == "SYS/TEMP") code = Errc::unavailable;
  return Failure(code, std::string("the server refused ") + command, reply.text);
}

void Capabilities::add_line(std::string_view line) { lines_.emplace_back(line); }

bool Capabilities::has(std::string_view name) const {
  for (const std::string& line : lines_) {
    if (starts(line, name)) return true;
  }
  return false;
}

std::vector<std::string> Capabilities::parameters(std::string_view name) const {
  std::vector<std::string> out;
  for (const std::string& line : lines_) {
    if (!starts(line, name)) continue;
    std::string_view rest = std::string_view(line).substr(name.size());
    while (take_space(rest) && !rest.empty()) {
      const size_t end = std::min(rest.find(' '), rest.size());
      out.emplace_back(rest.substr(0, end));
      rest.remove_prefix(end);
    }
    break;
  }
  return out;
}

Result<Stat> parse_stat(std::string_view text) {
  Stat out;
  if (!take_number(text, out.messages) || !take_space(text) || !take_number(text, out.octets) ||
      (!text.empty() && text[0] != ' ')) {
    return Failure(Errc::malformed, "the answer to STAT is not two numbers", std::string(text.substr(0, 200)));
  }
  return out;
}

Result<Uidl> parse_uidl(std::string_view line) {
  Uidl out;
  if (!take_number(line, out.number) || !take_space(line)) {
    return Failure(Errc::malformed, "a line of UIDL is not a number and an id", std::string(line.substr(0, 200)));
  }
  while (line.ends_with(' ')) line.remove_suffix(1);
  if (line.empty() || line.size() > max_uidl_bytes || line.find(' ') != std::string_view::npos) {
    return Failure(Errc::malformed, "an id of UIDL is empty, too long or has blanks", std::string(line.substr(0, 200)));
  }
  out.id = line;
  return out;
}

}  // namespace pop3c
