#include "gateway/imap/selection.h"

namespace gateway::imap {

UidSet Selection::uids(const MailboxSnapshot& snapshot) const {
  UidSet out;
  for (const Range& r : ranges_) {
    for (uint32_t i = r.begin; i < r.end;) {
      const storage::MessageColumns piece = snapshot.columns(i, r.end);
      storage::add_uids(out, piece.uids);
      i += piece.size();
    }
  }
  return out;
}

std::optional<Selection> select_messages(const MailboxSnapshot& snapshot, const wire::imap::SequenceSet& set,
                                         bool uid) {
  const uint32_t n = snapshot.size();
  Selection out;
  if (!uid) {
    if (n == 0) return std::nullopt;
    const auto numbers = set.resolve(wire::base::SeqNo(n));
    for (const auto& r : numbers.ranges()) {
      if (r.last.value > n) return std::nullopt;
      out.add(r.first.value - 1, r.last.value);
    }
    return out;
  }
  const auto uids = set.resolve(n > 0 ? snapshot.uid(n - 1) : Uid());
  for (const auto& r : uids.ranges()) {
    const uint32_t end = r.last.value == UINT32_MAX ? n : snapshot.lower_bound(r.last.next());
    out.add(snapshot.lower_bound(r.first), end);
  }
  return out;
}

wire::imap::SequenceSet name_messages(const MailboxSnapshot& snapshot, const UidSet& uids, bool uid) {
  if (uid) return wire::imap::SequenceSet::of(uids);
  wire::base::SeqSet numbers;
  for (const auto& r : uids.ranges()) {
    for (uint32_t i = snapshot.lower_bound(r.first); i < snapshot.size() && snapshot.uid(i) <= r.last; ++i) {
      numbers.add(wire::base::SeqNo(i + 1));
    }
  }
  return wire::imap::SequenceSet::of(numbers);
}

}  // namespace gateway::imap
