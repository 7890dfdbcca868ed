// NAMESPACE reply (RFC 2342). Errors: Errc::malformed, Errc::limit. Values only; any thread.
#pragma once

#include <string>
#include <vector>

#include "wire/imap/cursor.h"
#include "wire/imap/writer.h"

namespace wire::imap {

struct NamespaceEntry {
  std::string prefix;
  char separator = '\0';  // '\0': NIL
  bool operator==(const NamespaceEntry&) const = default;
};

struct NamespaceData {
  std::vector<NamespaceEntry> personal, other_users, shared;
  bool operator==(const NamespaceData&) const = default;
};

// After "* ": from the word NAMESPACE on. Extensions of an entry are skipped.
bool parse(Cursor& c, NamespaceData& out);
void write(Writer& w, const NamespaceData& data);

}  // namespace wire::imap
