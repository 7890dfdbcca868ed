#include "wire/imap/sets.h"

#include <algorithm>

namespace wire::imap {

namespace {

bool number_or_star(Cursor& c, bool star_allowed, uint32_t& out) {
  if (star_allowed && c.accept('*')) {
    out = 0;
    return true;
  }
  return c.nz_number(out);
}

// number[:number] *("," ...): each range to add(first, last).
template <class F>
bool ranges(Cursor& c, bool star_allowed, F&& add) {
  size_t n = 0;
  do {
    uint32_t first = 0, last = 0;
    if (!number_or_star(c, star_allowed, first)) return false;
    last = first;
    if (c.accept(':') && !number_or_star(c, star_allowed, last)) return false;
    if (++n > max_set_ranges) return c.fail(base::Errc::limit, "set with too many ranges");
    add(first, last);
  } while (c.accept(','));
  return c.ok();
}

void write_number(Writer& w, uint32_t n) {
  if (n == 0) {
    w.raw('*');
  } else {
    w.number(n);
  }
}

template <class Ranges, class F>
void write_ranges(Writer& w, const Ranges& list, F&& number) {
  if (list.empty()) w.fail();  // no set is empty on the wire
  bool first = true;
  for (const auto& r : list) {
    if (!first) w.raw(',');
    first = false;
    number(r.first);
    if (!(r.first == r.last)) {
      w.raw(':');
      number(r.last);
    }
  }
}

template <class N>
bool parse_set(Cursor& c, base::NumSet<N>& out) {
  // Collected first: inserting a hostile order one by one would take quadratic time.
  SequenceSet set;
  if (!ranges(c, false, [&](uint32_t first, uint32_t last) { set.ranges.push_back({first, last}); })) return false;
  out = set.resolve(N(UINT32_MAX));
  return true;
}

template <class N>
void write_set(Writer& w, const base::NumSet<N>& set) {
  write_ranges(w, set.ranges(), [&](N n) { w.number(n); });
}

}  // namespace

bool SequenceSet::has_star() const {
  return std::any_of(ranges.begin(), ranges.end(), [](const Range& r) { return r.first == 0 || r.last == 0; });
}

std::vector<SequenceSet::Range> SequenceSet::sorted(uint32_t max) const {
  std::vector<Range> out;
  out.reserve(ranges.size());
  for (Range r : ranges) {
    if (r.first == 0) r.first = max;
    if (r.last == 0) r.last = max;
    if (r.first == 0 || r.last == 0) continue;
    if (r.last < r.first) std::swap(r.first, r.last);
    out.push_back(r);
  }
  auto before = [](const Range& a, const Range& b) { return a.first < b.first; };
  if (!std::is_sorted(out.begin(), out.end(), before)) std::sort(out.begin(), out.end(), before);
  return out;
}

bool parse(Cursor& c, SequenceSet& out) {
  out.ranges.clear();
  return ranges(c, true, [&](uint32_t first, uint32_t last) { out.ranges.push_back({first, last}); });
}

void write(Writer& w, const SequenceSet& set) {
  write_ranges(w, set.ranges, [&](uint32_t n) { write_number(w, n); });
}

bool parse(Cursor& c, base::UidSet& out) { return parse_set(c, out); }
void write(Writer& w, const base::UidSet& set) { write_set(w, set); }
bool parse(Cursor& c, base::SeqSet& out) { return parse_set(c, out); }
void write(Writer& w, const base::SeqSet& set) { write_set(w, set); }

uint64_t UidList::count() const {
  uint64_t n = 0;
  for (const auto& r : ranges) n += uint64_t{r.last.value} - r.first.value + 1;
  return n;
}

bool parse(Cursor& c, UidList& out) {
  out.ranges.clear();
  return ranges(c, false, [&](uint32_t first, uint32_t last) {
    // RFC 4315: 2:4 and 4:2 are the same.
    out.ranges.push_back({base::Uid(std::min(first, last)), base::Uid(std::max(first, last))});
  });
}

void write(Writer& w, const UidList& list) {
  write_ranges(w, list.ranges, [&](base::Uid n) { w.number(n); });
}

}  // namespace wire::imap
