#include "wire/imap/cmd/copy.h"

namespace wire::imap::cmd {

bool parse(Cursor& c, Copy& out) { return c.sp() && parse(c, out.set) && c.sp() && parse(c, out.mailbox); }

void write(Writer& w, const Copy& c) {
  write(w.raw(c.uid ? "UID " : "").raw(c.move ? "MOVE " : "COPY "), c.set);
  write(w.sp(), c.mailbox);
}

}  // namespace wire::imap::cmd
