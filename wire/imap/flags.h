// Flag lists (RFC 3501 flag-list, flag-perm, flag-fetch). Errors: Errc::malformed, Errc::limit. Values; any thread.
#pragma once

#include <string>

#include "wire/base/flags.h"
#include "wire/imap/cursor.h"
#include "wire/imap/writer.h"

namespace wire::imap {

inline constexpr size_t max_keywords = 500;        // in one list
inline constexpr size_t max_keyword_length = 255;  // octets

// `flags.keywords` may hold "\Word" for a system flag that RFC 3501 does not know; a server refuses to store it.
struct FlagList {
  base::Flags flags;
  bool recent = false;       // \Recent
  bool any_keyword = false;  // \*
  bool operator==(const FlagList&) const = default;
};

// "(...)"
bool parse(Cursor& c, FlagList& out);
void write(Writer& w, const FlagList& list);

// One flag, added to `out`.
bool parse_flag(Cursor& c, FlagList& out);
// The flags without parentheses, SP between.
void write_flags(Writer& w, const FlagList& list);

}  // namespace wire::imap
