// SELECT and EXAMINE: one deed, with and without write access (RFC 3501 6.3.1, 6.3.2, RFC 7162 3.1.8, 3.2.5).
#pragma once

#include "gateway/imap/session.h"

namespace gateway::imap {

awaitable<Reply> open_mailbox(Session& s, wire::imap::CommandLine& line, bool writable);

}  // namespace gateway::imap
