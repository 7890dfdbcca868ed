// Which mailboxes are the user's own (RFC 2342). Only these are moved; the others pass through while the source is the
// authority (design 9). Values only; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/imap/namespace_data.h"

namespace gateway::source {

class Namespaces {
 public:
  Namespaces() = default;  // a server without NAMESPACE: everything is the user's
  explicit Namespaces(const wire::imap::NamespaceData& told);

  bool personal(std::string_view name) const;
  // Of the first personal namespace: "", "INBOX."
  const std::string& prefix() const { return prefix_; }

 private:
  std::string prefix_;
  std::vector<std::string> personal_, foreign_;  // prefixes, none empty
  bool rest_is_shared_ = false;                  // a shared namespace without a prefix (Cyrus beside "INBOX.")
};

// How an account keeps what the source told: a line for each entry, its separator first.
std::string to_annotation(const std::vector<wire::imap::NamespaceEntry>& entries);
std::vector<wire::imap::NamespaceEntry> from_annotation(std::string_view text);

}  // namespace gateway::source
