#include "gateway/imap/resync.h"

#include <algorithm>

namespace gateway::imap {
namespace {

using storage::MailboxSnapshot;
using storage::Uid;
using storage::UidSet;

// RFC 7162 3.2.5.2: where the n-th message has the UID that the client thinks, none up to there has vanished: UIDs
// ascend, and none is ever put in between. Returns the highest such UID; 0: none.
Uid last_match(const MailboxSnapshot& snapshot, const wire::imap::cmd::Qresync& client) {
  if (!client.match_seqs || !client.match_uids) return Uid();
  std::vector<uint32_t> seqs;
  // Sets are bounded by the line they came in only as ranges: "1:4294967295" is short.
  for (const auto& range : client.match_seqs->ranges()) {
    for (uint64_t n = range.first.value; n <= range.last.value && n <= snapshot.size(); ++n) {
      seqs.push_back(static_cast<uint32_t>(n));
    }
  }
  Uid best;
  size_t i = 0;
  for (const auto& range : client.match_uids->ranges()) {
    for (uint64_t uid = range.first.value; uid <= range.last.value && i < seqs.size(); ++uid, ++i) {
      const Uid claimed(static_cast<uint32_t>(uid));
      if (snapshot.uid(seqs[i] - 1) == claimed) best = claimed;
    }
  }
  return best;
}

}  // namespace

UidSet intersect(const UidSet& a, const UidSet& b) {
  UidSet out;
  auto i = a.ranges().begin();
  auto j = b.ranges().begin();
  while (i != a.ranges().end() && j != b.ranges().end()) {
    const Uid first = std::max(i->first, j->first);
    const Uid last = std::min(i->last, j->last);
    if (first <= last) out.add(first, last);
    if (i->last < j->last) {
      ++i;
    } else {
      ++j;
    }
  }
  return out;
}

bool lost_only(const MailboxSnapshot& shown, const MailboxSnapshot& newest, const UidSet& gone) {
  const auto diff = storage::SnapshotDiff::between(shown, newest);
  if (diff.added > 0 || !diff.changed.empty() || !diff.inserted.empty()) return false;
  UidSet lost;
  for (uint32_t index : diff.expunged) lost.add(shown.uid(index));
  return lost == gone;
}

Resync plan_resync(const MailboxSnapshot& snapshot, const wire::imap::cmd::Qresync& client) {
  Resync out;
  const uint32_t next = snapshot.info().uid_next.value;
  UidSet known;
  if (client.known_uids) {
    known = *client.known_uids;
  } else if (next > 1) {
    known = UidSet(Uid(1), Uid(next - 1));  // RFC 7162 3.2.5.1
  }
  out.vanished = intersect(snapshot.vanished_since(client.modseq), known);
  if (const Uid matched = last_match(snapshot, client); matched && !out.vanished.empty()) {
    out.vanished = intersect(out.vanished, UidSet(matched, Uid(UINT32_MAX)));
  }
  const UidSet changed = intersect(snapshot.changed_since(client.modseq), known);
  for (const auto& range : changed.ranges()) {
    for (uint32_t i = snapshot.lower_bound(range.first); i < snapshot.size() && snapshot.uid(i) <= range.last; ++i) {
      out.changed.push_back(i);
    }
  }
  return out;
}

}  // namespace gateway::imap
