#include "wire/imap/cmd/simple.h"

namespace wire::imap::cmd {

void write(Writer& w, const Simple& c) { w.atom(c.name); }

}  // namespace wire::imap::cmd
