#include "wire/imap/cmd/expunge.h"

namespace wire::imap::cmd {

bool parse(Cursor& c, Expunge& out) { return !out.uid || (c.sp() && parse(c, out.set)); }

void write(Writer& w, const Expunge& c) {
  if (!c.uid) {
    w.raw("EXPUNGE");
    return;
  }
  write(w.raw("UID EXPUNGE "), c.set);
}

}  // namespace wire::imap::cmd
