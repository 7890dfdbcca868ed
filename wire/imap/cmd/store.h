// STORE and UID STORE (RFC 3501 6.4.6, 7162 UNCHANGEDSINCE). Errors: Errc::malformed, Errc::limit. Values; any thread.
#pragma once

#include <optional>

#include "wire/base/flags.h"
#include "wire/base/ids.h"
#include "wire/imap/cursor.h"
#include "wire/imap/flags.h"
#include "wire/imap/sets.h"
#include "wire/imap/writer.h"

namespace wire::imap::cmd {

struct Store {
  bool uid = false;
  SequenceSet set;
  std::optional<base::ModSeq> unchanged_since;
  base::FlagsMode mode = base::FlagsMode::replace;
  bool silent = false;
  FlagList flags;  // \Recent in it is malformed (RFC 3501: flag)
  bool operator==(const Store&) const = default;
};
bool parse(Cursor& c, Store& out);
void write(Writer& w, const Store& c);

}  // namespace wire::imap::cmd
