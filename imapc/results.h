// What commands return. Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "wire/base/flags.h"
#include "wire/base/num_set.h"
#include "wire/imap/flags.h"
#include "wire/imap/list_data.h"
#include "wire/imap/sets.h"
#include "wire/imap/status_data.h"

namespace imapc {

using wire::base::ModSeq;
using wire::base::SeqNo;
using wire::base::Uid;
using wire::base::UidSet;
using wire::base::UidValidity;
using wire::imap::FlagList;
using wire::imap::StatusData;

// A FETCH reply about flags.
struct FlagChange {
  Uid uid;  // none if the server left it out
  SeqNo seq;
  std::optional<FlagList> flags;
  ModSeq modseq;  // none if not told
};

struct Selected {
  UidValidity uid_validity;
  Uid uid_next;           // none: the server did not tell
  ModSeq highest_modseq;  // none: NOMODSEQ or no CONDSTORE
  uint32_t exists = 0;
  FlagList flags;                           // FLAGS
  std::optional<FlagList> permanent_flags;  // absent: all flags, by RFC 3501
  bool read_only = false;
  bool uid_not_sticky = false;
  std::string mailbox_id;           // empty: not told
  UidSet vanished;                  // QRESYNC
  std::vector<FlagChange> changed;  // QRESYNC
};

struct Stored {
  std::vector<FlagChange> changed;   // what the server returned, in its order
  wire::imap::SequenceSet modified;  // [MODIFIED]: UIDs refused by UNCHANGEDSINCE
};

// Without UIDPLUS everything is none.
struct Appended {
  UidValidity uid_validity;
  Uid uid;
};

// COPYUID; `source` and `uids` correspond number by number. Empty without UIDPLUS or if nothing was copied.
struct Copied {
  UidValidity uid_validity;
  wire::imap::UidList source, uids;
};

struct Expunged {
  std::vector<SeqNo> seqs;  // EXPUNGE, in the server's order
  UidSet vanished;          // VANISHED
};

struct Found {
  UidSet uids;
  ModSeq modseq;
};

}  // namespace imapc
