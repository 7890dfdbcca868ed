#include <algorithm>

#include "quirks/rules.h"
#include "wire/base/flags.h"

namespace quirks {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool offers(const Evidence& seen, const std::string& capability) {
  const auto same = [&capability](const std::string& c) { return wire::base::iequals(c, capability); };
  return std::any_of(seen.capabilities.begin(), seen.capabilities.end(), same);
}

bool text_matches(const std::string& pattern, const std::string& text) {
  return pattern.empty() || (!text.empty() && glob(pattern, text));
}

}  // namespace

std::string_view to_string(Mode m) {
  switch (m) {
    case Mode::on:
      return "on";
    case Mode::observe:
      return "observe";
    case Mode::off:
      return "off";
  }
  return "off";
}

// Goes back to the last star only: linear for one star, |pattern| x |text| at worst, no recursion.
bool glob(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == lower(text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool matches(const Match& match, const Evidence& seen) {
  if (!text_matches(match.upstream, seen.upstream) || !text_matches(match.host, seen.host) ||
      !text_matches(match.banner, seen.banner)) {
    return false;
  }
  for (const auto& [field, pattern] : match.id) {
    const auto it = seen.id.find(field);
    if (it == seen.id.end() || !glob(pattern, it->second)) return false;
  }
  const auto offered = [&seen](const std::string& c) { return offers(seen, c); };
  if (!std::all_of(match.capabilities.begin(), match.capabilities.end(), offered)) return false;
  // A server that has not told its capabilities lacks none.
  if (!match.without.empty() &&
      (seen.capabilities.empty() || std::any_of(match.without.begin(), match.without.end(), offered))) {
    return false;
  }
  return !match.examine_uidvalidity_changes || match.examine_uidvalidity_changes == seen.examine_uidvalidity_changes;
}

Profile profile_for(std::span<const Rule> rules, const Evidence& seen) {
  Profile out;
  for (const Rule& rule : rules) {
    if (rule.mode == Mode::off || !matches(rule.match, seen)) continue;
    if (rule.mode == Mode::observe) {
      out.observed.push_back(rule.id);
      continue;
    }
    for (const auto& set : rule.set) set(out);
    out.rules.push_back(rule.id);
  }
  return out;
}

}  // namespace quirks
