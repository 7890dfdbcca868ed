// COPY and MOVE: one deed, and whether the originals stay (RFC 3501 6.4.7, RFC 6851, COPYUID: RFC 4315 3).
#pragma once

#include "gateway/imap/session.h"

namespace gateway::imap {

awaitable<Reply> copy_messages(Session& s, wire::imap::CommandLine& line, bool move);

// COPYUID's two lists correspond number by number, so both are kept in the order of the pairs.
RespCode copy_uid_code(const source::CopyOutcome& outcome);

}  // namespace gateway::imap
