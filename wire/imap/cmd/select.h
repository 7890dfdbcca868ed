// SELECT and EXAMINE with CONDSTORE and QRESYNC (RFC 3501 6.3.1, 7162 3.2.5). Errors: Errc::malformed, Errc::limit.
// Values only; any thread.
#pragma once

#include <optional>

#include "wire/base/ids.h"
#include "wire/imap/cursor.h"
#include "wire/imap/mailbox.h"
#include "wire/imap/sets.h"
#include "wire/imap/writer.h"

namespace wire::imap::cmd {

struct Qresync {
  base::UidValidity uid_validity;
  base::ModSeq modseq;
  std::optional<base::UidSet> known_uids;
  // The sequence match data: the n-th number of one denotes the n-th of the other.
  std::optional<base::SeqSet> match_seqs;
  std::optional<base::UidSet> match_uids;
  bool operator==(const Qresync&) const = default;
};

// The table row tells SELECT from EXAMINE; the writer needs to be told.
struct Select {
  bool examine = false;
  MailboxName mailbox;
  bool condstore = false;
  std::optional<Qresync> qresync;
  bool operator==(const Select&) const = default;
};
bool parse(Cursor& c, Select& out);
void write(Writer& w, const Select& c);

}  // namespace wire::imap::cmd
