// LIST and LSUB replies (RFC 3501 7.2.2, 5258, 6154, 8440). Errors: Errc::malformed, Errc::limit. Values; any thread.
#pragma once

#include <string>
#include <vector>

#include "wire/imap/cursor.h"
#include "wire/imap/mailbox.h"
#include "wire/imap/writer.h"

namespace wire::imap {

struct ListData {
  bool lsub = false;
  std::vector<std::string> attributes;  // with backslash, as written
  char separator = '\0';                // '\0': NIL
  MailboxName name;
  std::vector<std::string> child_info;  // CHILDINFO
  std::string old_name;                 // OLDNAME; empty if absent
  bool has(std::string_view attribute) const;
  bool operator==(const ListData&) const = default;
};

// After "* ": from the word LIST or LSUB on.
bool parse(Cursor& c, ListData& out);
void write(Writer& w, const ListData& data);

}  // namespace wire::imap
