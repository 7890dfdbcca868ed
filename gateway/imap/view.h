// What one client believes its selected mailbox to be, and how it is led to what the mailbox has become.
//
// The client's numbering is a snapshot of the copy. At points where the protocol allows it the view advances to the
// newest snapshot and says so: EXPUNGE or VANISHED, EXISTS, RECENT, FETCH (RFC 3501 7.4.1, RFC 7162 3.2.10). Values and
// text only, no I/O; one owner, on the account's core. A hand-over changes nothing here (design 5).
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/mailbox.h"
#include "storage/types.h"
#include "wire/imap/flags.h"

namespace gateway::imap {

using storage::Flags;
using storage::MailboxSnapshot;
using storage::MailboxSnapshotPtr;
using storage::ModSeq;
using storage::Uid;
using storage::UidSet;

// How untagged data is worded, and what may be said now.
struct Wording {
  bool may_expunge = true;  // false while answering FETCH, STORE or SEARCH by sequence number
  bool vanished = false;    // QRESYNC is enabled: VANISHED instead of EXPUNGE
  bool modseq = false;      // CONDSTORE is enabled: every FETCH with flags carries MODSEQ and UID
};

class View {
 public:
  // Messages from `recent_from` on are \Recent for this session.
  View(MailboxSnapshotPtr first, Uid recent_from);

  const MailboxSnapshotPtr& shown() const { return shown_; }
  uint32_t exists() const { return shown_->size(); }
  bool recent(Uid uid) const { return recent_.contains(uid); }
  uint32_t recent_count() const;
  const UidSet& recent_uids() const { return recent_; }

  // Holds `newest` in the place of what it holds, if a client cannot tell one from the other.
  void rest_on(const MailboxSnapshotPtr& newest) {
    if (newest != shown_ && newest->same_as(*shown_)) shown_ = newest;
  }

  // A message of the client's numbering as it is now: in `newest` if it is still there, else as it was shown.
  struct Now {
    const MailboxSnapshot* in;
    uint32_t index;
    bool expunged;
  };
  Now now(uint32_t shown_index, const MailboxSnapshotPtr& newest) const;

  // "\Seen $Label": the text between the parentheses. Valid until the next call.
  const std::string& flag_text(const MailboxSnapshot& in, uint32_t index);

  // "* n FETCH (FLAGS (...))" of one message as it is now, if it is still there. Remembered, so that advance() does not
  // say it again.
  void tell_flags(uint32_t shown_index, const MailboxSnapshotPtr& newest, const Wording& how, bool with_uid,
                  std::string& out);
  // RFC 7162 3.1.3: after STORE.SILENT a CONDSTORE client hears the new MODSEQ without the flags.
  void tell_modseq(uint32_t shown_index, const MailboxSnapshotPtr& newest, bool with_uid, std::string& out);
  // The client knows the flags of this message, or of all from `first` to `last`, as they are in `newest` already.
  void knows(Uid uid, const MailboxSnapshotPtr& newest) { knows(uid, uid, newest); }
  void knows(Uid first, Uid last, const MailboxSnapshotPtr& newest);

  // FLAGS and PERMANENTFLAGS, as a SELECT shows them. Notes what the client knows of keywords.
  void write_flag_lists(const MailboxSnapshot& in, bool writable, std::string& out);

  // Leads the client to `newest` if that may be said now; all or nothing. `claim` is asked for the first \Recent UID
  // only when there are new messages. True: shown() is `newest` now.
  bool advance(const MailboxSnapshotPtr& newest, const Wording& how, bool writable, const std::function<Uid()>& claim,
               std::string& out);

 private:
  // Messages whose flags were said as they are in a snapshot.
  struct Told {
    MailboxSnapshotPtr in;
    UidSet uids;
  };
  bool was_told(Uid uid, uint32_t index, const MailboxSnapshot& now) const;
  void write_fetch(uint32_t seq_index, const MailboxSnapshot& in, uint32_t index, bool with_uid, bool with_modseq,
                   std::string& out);

  MailboxSnapshotPtr shown_;
  UidSet recent_;
  size_t keywords_known_ = 0;
  std::vector<Told> told_;                           // since the last advance, newest last
  std::unordered_map<uint64_t, std::string> texts_;  // of flag bits, bit 5: \Recent; keywords only ever grow
  std::string text_;                                 // of what the bits cannot say
};

void append_number(std::string& out, uint64_t n);

}  // namespace gateway::imap
