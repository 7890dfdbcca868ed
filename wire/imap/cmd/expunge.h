// EXPUNGE and UID EXPUNGE (RFC 3501 6.4.3, 4315 2.1). Errors: Errc::malformed, Errc::limit. Values only; any thread.
#pragma once

#include "wire/imap/cursor.h"
#include "wire/imap/sets.h"
#include "wire/imap/writer.h"

namespace wire::imap::cmd {

struct Expunge {
  bool uid = false;
  SequenceSet set;  // UID EXPUNGE only
  bool operator==(const Expunge&) const = default;
};
bool parse(Cursor& c, Expunge& out);
void write(Writer& w, const Expunge& c);

}  // namespace wire::imap::cmd
