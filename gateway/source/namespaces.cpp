#include "gateway/source/namespaces.h"

#include <algorithm>

#include "wire/base/flags.h"

namespace gateway::source {
namespace {

// "user." names the namespace; the node "user" itself is part of it.
bool below(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) || name == prefix.substr(0, prefix.size() - 1);
}

}  // namespace

Namespaces::Namespaces(const wire::imap::NamespaceData& told) {
  bool personal_without_prefix = told.personal.empty();
  if (!told.personal.empty()) prefix_ = told.personal.front().prefix;
  for (const auto& entry : told.personal) {
    if (entry.prefix.empty()) {
      personal_without_prefix = true;
    } else {
      personal_.push_back(entry.prefix);
    }
  }
  for (const auto* kind : {&told.other_users, &told.shared}) {
    for (const auto& entry : *kind) {
      if (!entry.prefix.empty()) {
        foreign_.push_back(entry.prefix);
      } else if (!personal_without_prefix) {
        rest_is_shared_ = true;
      }
    }
  }
}

// The longest prefix decides: a personal namespace may lie inside a foreign one, and the other way round.
bool Namespaces::personal(std::string_view name) const {
  if (wire::base::iequals(name, "INBOX")) return true;
  size_t own = 0, theirs = 0;
  for (const std::string& p : personal_) {
    if (below(name, p)) own = std::max(own, p.size());
  }
  for (const std::string& p : foreign_) {
    if (below(name, p)) theirs = std::max(theirs, p.size());
  }
  if (own == 0 && theirs == 0) return !rest_is_shared_;
  return own >= theirs;
}

std::string to_annotation(const std::vector<wire::imap::NamespaceEntry>& entries) {
  std::string out;
  for (const auto& e : entries) {
    if (e.prefix.find('\n') != std::string::npos) continue;
    out += e.separator == '\0' ? '\n' : e.separator;
    out += e.prefix + '\n';
  }
  return out;
}

std::vector<wire::imap::NamespaceEntry> from_annotation(std::string_view text) {
  std::vector<wire::imap::NamespaceEntry> out;
  while (!text.empty()) {
    wire::imap::NamespaceEntry e;
    e.separator = text.front() == '\n' ? '\0' : text.front();
    const size_t end = text.find('\n', 1);
    e.prefix = std::string(text.substr(1, end == text.npos ? text.npos : end - 1));
    out.push_back(std::move(e));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return out;
}

}  // namespace gateway::source
