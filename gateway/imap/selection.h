// Which messages a command means: a set of sequence numbers or UIDs over the client's numbering. Values; any thread.
#pragma once

#include <optional>
#include <vector>

#include "gateway/imap/view.h"
#include "wire/imap/sets.h"

namespace gateway::imap {

// Half-open ranges of indexes of the shown snapshot, ascending and disjoint.
class Selection {
 public:
  struct Range {
    uint32_t begin, end;
    bool operator==(const Range&) const = default;
  };

  void add(uint32_t begin, uint32_t end) {
    if (begin >= end) return;
    if (!ranges_.empty() && ranges_.back().end == begin) {
      ranges_.back().end = end;
    } else {
      ranges_.push_back({begin, end});
    }
  }
  const std::vector<Range>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  uint32_t count() const {
    uint32_t n = 0;
    for (const Range& r : ranges_) n += r.end - r.begin;
    return n;
  }
  UidSet uids(const MailboxSnapshot& snapshot) const;

 private:
  std::vector<Range> ranges_;
};

// UIDs that are not there select nothing. A sequence number beyond the mailbox is an error (RFC 3501 9, seq-number: the
// server should answer BAD): nullopt.
std::optional<Selection> select_messages(const MailboxSnapshot& snapshot, const wire::imap::SequenceSet& set, bool uid);

// The sequence numbers or UIDs of messages, as the command named them.
wire::imap::SequenceSet name_messages(const MailboxSnapshot& snapshot, const UidSet& uids, bool uid);

}  // namespace gateway::imap
