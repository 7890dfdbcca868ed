#include "wire/imap/capabilities.h"

#include <algorithm>

#include "wire/base/flags.h"

namespace wire::imap {

using base::iequals;

Capabilities::Capabilities(std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) add(name);
}

bool Capabilities::has(std::string_view name) const {
  return std::any_of(names_.begin(), names_.end(), [&](const std::string& n) { return iequals(n, name); });
}

void Capabilities::add(std::string_view name) {
  if (!has(name)) names_.emplace_back(name);
}

void Capabilities::remove(std::string_view name) {
  std::erase_if(names_, [&](const std::string& n) { return iequals(n, name); });
}

std::vector<std::string_view> Capabilities::values(std::string_view name) const {
  std::vector<std::string_view> out;
  for (std::string_view n : names_) {
    if (n.size() > name.size() && n[name.size()] == '=' && iequals(n.substr(0, name.size()), name)) {
      out.push_back(n.substr(name.size() + 1));
    }
  }
  return out;
}

std::string_view Capabilities::value(std::string_view name) const {
  std::vector<std::string_view> all = values(name);
  return all.empty() ? std::string_view() : all.front();
}

bool Capabilities::operator==(const Capabilities& other) const {
  return names_.size() == other.names_.size() &&
         std::all_of(names_.begin(), names_.end(), [&](const std::string& n) { return other.has(n); });
}

bool parse(Cursor& c, Capabilities& out) {
  out = Capabilities();
  for (size_t n = 0; c.peek() == ' '; ++n) {
    if (n == max_capabilities) return c.fail(base::Errc::limit, "too many capabilities");
    std::string_view word;
    if (!c.sp()) return false;
    if (c.leniency().extra_space && (c.at_end() || c.peek() == ']')) break;
    if (!c.atom(word)) return false;
    out.add(word);
  }
  return c.ok();
}

void write(Writer& w, const Capabilities& capabilities) {
  for (const std::string& name : capabilities.names()) w.sp().atom(name);
}

}  // namespace wire::imap
