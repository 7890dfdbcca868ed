// What a QRESYNC client must hear at SELECT (RFC 7162 3.2.5), decided over a snapshot. Values only; any thread.
#pragma once

#include <vector>

#include "storage/mailbox.h"
#include "wire/imap/cmd/select.h"

namespace gateway::imap {

struct Resync {
  storage::UidSet vanished;       // VANISHED (EARLIER)
  std::vector<uint32_t> changed;  // indexes of messages whose flags are told
};

// The caller has compared UIDVALIDITY.
Resync plan_resync(const storage::MailboxSnapshot& snapshot, const wire::imap::cmd::Qresync& client);

// What `newest` differs in from `shown` is that exactly the messages `gone` are not there any more.
bool lost_only(const storage::MailboxSnapshot& shown, const storage::MailboxSnapshot& newest,
               const storage::UidSet& gone);

storage::UidSet intersect(const storage::UidSet& a, const storage::UidSet& b);

}  // namespace gateway::imap
