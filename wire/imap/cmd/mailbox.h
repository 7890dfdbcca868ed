// CREATE (RFC 3501 6.3.3, 6154 USE), DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS. Errors: Errc::malformed,
// Errc::limit. Values only; any thread.
#pragma once

#include <string>
#include <vector>

#include "wire/imap/cursor.h"
#include "wire/imap/mailbox.h"
#include "wire/imap/status_data.h"
#include "wire/imap/writer.h"

namespace wire::imap::cmd {

struct Create {
  MailboxName mailbox;
  std::vector<std::string> use;  // special-use attributes with backslash
  bool operator==(const Create&) const = default;
};
struct Delete {
  MailboxName mailbox;
  bool operator==(const Delete&) const = default;
};
struct Rename {
  MailboxName from, to;
  bool operator==(const Rename&) const = default;
};
struct Subscribe {
  MailboxName mailbox;
  bool operator==(const Subscribe&) const = default;
};
struct Unsubscribe {
  MailboxName mailbox;
  bool operator==(const Unsubscribe&) const = default;
};
struct Status {
  MailboxName mailbox;
  StatusItems items;
  bool operator==(const Status&) const = default;
};

bool parse(Cursor& c, Create& out);
void write(Writer& w, const Create& c);
bool parse(Cursor& c, Delete& out);
void write(Writer& w, const Delete& c);
bool parse(Cursor& c, Rename& out);
void write(Writer& w, const Rename& c);
bool parse(Cursor& c, Subscribe& out);
void write(Writer& w, const Subscribe& c);
bool parse(Cursor& c, Unsubscribe& out);
void write(Writer& w, const Unsubscribe& c);
bool parse(Cursor& c, Status& out);
void write(Writer& w, const Status& c);

}  // namespace wire::imap::cmd
