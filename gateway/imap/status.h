// A STATUS line, for STATUS and for LIST RETURN (STATUS ...) (RFC 3501 6.3.10, 7162, 8438, 7889, RFC 5819).
#pragma once

#include "gateway/imap/session.h"
#include "wire/imap/status_data.h"

namespace gateway::imap {

// Asks the account and writes "* STATUS ..." of one mailbox.
awaitable<Result<void>> write_status(Session& s, std::string name, wire::imap::StatusItems items);

// The same of a status that is known already.
void write_status(Session& s, std::string name, wire::imap::StatusItems items, const source::MailboxStatus& status);

// What this server cannot answer: items of extensions that it does not advertise.
bool unsupported_items(wire::imap::StatusItems items);

}  // namespace gateway::imap
