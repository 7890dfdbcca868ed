#include "wire/imap/cmd/session.h"

namespace wire::imap::cmd {

bool parse(Cursor& c, Enable& out) {
  return parse(c, out.capabilities) && (!out.capabilities.empty() || c.malformed("capability expected"));
}

void write(Writer& w, const Enable& c) {
  if (c.capabilities.empty()) w.fail();
  write(w.raw("ENABLE"), c.capabilities);
}

bool parse(Cursor& c, Id& out) { return c.sp() && parse(c, out.params); }

void write(Writer& w, const Id& c) { write(w.raw("ID "), c.params); }

}  // namespace wire::imap::cmd
