// ENABLE (RFC 5161) and ID (RFC 2971). Errors: Errc::malformed, Errc::limit. Values only; any thread.
#pragma once

#include "wire/imap/capabilities.h"
#include "wire/imap/id.h"

namespace wire::imap::cmd {

struct Enable {
  Capabilities capabilities;
  bool operator==(const Enable&) const = default;
};
bool parse(Cursor& c, Enable& out);
void write(Writer& w, const Enable& c);

struct Id {
  IdParams params;
  bool operator==(const Id&) const = default;
};
bool parse(Cursor& c, Id& out);
void write(Writer& w, const Id& c);

}  // namespace wire::imap::cmd
