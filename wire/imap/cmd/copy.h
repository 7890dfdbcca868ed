// COPY, MOVE and their UID forms (RFC 3501 6.4.7, 6851). Errors: Errc::malformed, Errc::limit. Values; any thread.
#pragma once

#include "wire/imap/cursor.h"
#include "wire/imap/mailbox.h"
#include "wire/imap/sets.h"
#include "wire/imap/writer.h"

namespace wire::imap::cmd {

struct Copy {
  bool uid = false;
  bool move = false;  // set by who knows the command's name: the writer needs it
  SequenceSet set;
  MailboxName mailbox;
  bool operator==(const Copy&) const = default;
};
bool parse(Cursor& c, Copy& out);
void write(Writer& w, const Copy& c);

}  // namespace wire::imap::cmd
