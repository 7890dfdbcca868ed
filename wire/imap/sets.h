// sequence-set with "*" (RFC 3501), uid-set without (RFC 4315). Errors: Errc::malformed, Errc::limit.
// Values only; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/base/num_set.h"
#include "wire/imap/cursor.h"
#include "wire/imap/writer.h"

namespace wire::imap {

inline constexpr size_t max_set_ranges = 1'000'000;  // far above what a line of the default limits holds

// As the peer wrote it: order and overlaps kept, 0 stands for "*".
struct SequenceSet {
  struct Range {
    uint32_t first = 0, last = 0;
    bool operator==(const Range&) const = default;
  };
  std::vector<Range> ranges;

  bool has_star() const;
  bool empty() const { return ranges.empty(); }
  // "*" is `max` (RFC 3501: the largest number in use). With max 0, an empty mailbox, ranges with "*" denote nothing.
  template <class N>
  base::NumSet<N> resolve(N max) const {
    base::NumSet<N> set;
    for (auto [first, last] : sorted(max.value)) set.add(N(first), N(last));
    return set;
  }
  template <class N>
  static SequenceSet of(const base::NumSet<N>& set) {
    SequenceSet out;
    out.ranges.reserve(set.ranges().size());
    for (const auto& r : set.ranges()) out.ranges.push_back({r.first.value, r.last.value});
    return out;
  }
  bool operator==(const SequenceSet&) const = default;

 private:
  std::vector<Range> sorted(uint32_t max) const;
};

bool parse(Cursor& c, SequenceSet& out);
void write(Writer& w, const SequenceSet& set);

// Without "*". Ascending.
bool parse(Cursor& c, base::UidSet& out);
void write(Writer& w, const base::UidSet& set);
bool parse(Cursor& c, base::SeqSet& out);
void write(Writer& w, const base::SeqSet& set);

// COPYUID's two sets correspond number by number in the order written (RFC 4315 3), so order is kept.
struct UidList {
  std::vector<base::UidSet::Range> ranges;
  uint64_t count() const;
  bool operator==(const UidList&) const = default;
};
bool parse(Cursor& c, UidList& out);
void write(Writer& w, const UidList& list);

}  // namespace wire::imap
