// What LIST and LSUB answer, decided over the account's mailbox tree: RFC 3501 6.3.8, 6.3.9, extended by RFC 5258,
// special uses by RFC 6154. Values only, no I/O; any thread.
#pragma once

#include <vector>

#include "storage/account.h"
#include "wire/imap/cmd/list.h"
#include "wire/imap/list_data.h"

namespace gateway::imap {

// Matching costs |patterns| * |names| steps at worst, on the account's core: Errc::limit above what a tenth of a second
// holds. No client's patterns come near it (design 5, bulkheads).
// `subscribed_only`: no other names are looked at.
storage::Result<void> affordable(const storage::MailboxTree& tree, std::string_view reference,
                                 const std::vector<std::string>& patterns, bool subscribed_only = false);
bool only_subscribed(const wire::imap::cmd::List& query);

// Names in the order of the tree; names that exist only as parents or subscriptions come after, sorted.
// Mailboxes of the answer that a STATUS can be asked of carry neither \Noselect nor \NonExistent.
std::vector<wire::imap::ListData> list(const storage::MailboxTree& tree, char separator,
                                       const wire::imap::cmd::List& query);

std::vector<wire::imap::ListData> lsub(const storage::MailboxTree& tree, char separator,
                                       const wire::imap::cmd::Lsub& query);

}  // namespace gateway::imap
