#include "wire/base/flags.h"

#include <algorithm>
#include <array>
#include <utility>

namespace wire::base {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

auto find(std::vector<std::string>& keywords, std::string_view k) {
  return std::find_if(keywords.begin(), keywords.end(), [&](const std::string& x) { return iequals(x, k); });
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

bool Flags::has(std::string_view keyword) const {
  return std::any_of(keywords.begin(), keywords.end(), [&](const std::string& x) { return iequals(x, keyword); });
}

void Flags::add(std::string_view keyword) {
  if (!has(keyword)) keywords.emplace_back(keyword);
}

void Flags::remove(std::string_view keyword) {
  if (auto it = find(keywords, keyword); it != keywords.end()) keywords.erase(it);
}

bool Flags::operator==(const Flags& o) const {
  if (system != o.system || keywords.size() != o.keywords.size()) return false;
  return std::all_of(keywords.begin(), keywords.end(), [&](const std::string& k) { return o.has(k); });
}

uint8_t system_flag(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, uint8_t>, 5> table{
      {{"\\Seen", seen}, {"\\Answered", answered}, {"\\Flagged", flagged}, {"\\Deleted", deleted}, {"\\Draft", draft}}};
  for (const auto& [text, bit] : table) {
    if (iequals(text, name)) return bit;
  }
  return 0;
}

}  // namespace wire::base
