// A set of UIDs or sequence numbers as ascending, disjoint, non-adjacent ranges (RFC 3501 sequence-set, without "*").
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "wire/base/ids.h"

namespace wire::base {

template <class N>
class NumSet {
 public:
  struct Range {
    N first, last;  // both included
    bool operator==(const Range&) const = default;
  };

  NumSet() = default;
  explicit NumSet(N single) { add(single); }
  NumSet(N first, N last) { add(first, last); }

  void add(N n) { add(n, n); }
  // Amortised O(1) when numbers come in ascending order, else O(ranges).
  void add(N first, N last) {
    if (last < first) std::swap(first, last);
    if (ranges_.empty() || (ranges_.back().last < first && ranges_.back().last.value + 1 != first.value)) {
      ranges_.push_back({first, last});
      return;
    }
    auto touches = [](const Range& r, N value) { return r.last < value && r.last.value + 1 != value.value; };
    auto from = std::lower_bound(ranges_.begin(), ranges_.end(), first, touches);
    auto to = from;
    while (to != ranges_.end() && (to->first <= last || to->first.value - 1 == last.value)) {
      first = std::min(first, to->first);
      last = std::max(last, to->last);
      ++to;
    }
    if (from == to) {
      ranges_.insert(from, {first, last});
    } else {
      *from = {first, last};
      ranges_.erase(from + 1, to);
    }
  }
  void add(const NumSet& other) {
    for (const Range& r : other.ranges_) add(r.first, r.last);
  }

  bool contains(N n) const {
    auto it = std::lower_bound(ranges_.begin(), ranges_.end(), n, [](const Range& r, N v) { return r.last < v; });
    return it != ranges_.end() && it->first <= n;
  }
  bool empty() const { return ranges_.empty(); }
  void clear() { ranges_.clear(); }
  // How many numbers, not ranges.
  uint64_t count() const {
    uint64_t n = 0;
    for (const Range& r : ranges_) n += uint64_t{r.last.value} - r.first.value + 1;
    return n;
  }
  N min() const { return ranges_.front().first; }
  N max() const { return ranges_.back().last; }
  const std::vector<Range>& ranges() const { return ranges_; }
  bool operator==(const NumSet&) const = default;

  // Calls f(N) for each number, ascending. Only for sets whose count() is known to be bounded.
  template <class F>
  void for_each(F&& f) const {
    for (const Range& r : ranges_) {
      for (auto v = r.first.value;; ++v) {
        f(N(v));
        if (v == r.last.value) break;
      }
    }
  }

  // "1:3,7" (RFC 3501 sequence-set); "" for the empty set.
  std::string to_string() const {
    std::string out;
    for (const Range& r : ranges_) {
      if (!out.empty()) out += ',';
      out += std::to_string(r.first.value);
      if (r.last != r.first) out += ':' + std::to_string(r.last.value);
    }
    return out;
  }

 private:
  std::vector<Range> ranges_;
};

using UidSet = NumSet<Uid>;
using SeqSet = NumSet<SeqNo>;

}  // namespace wire::base
