// Which run of segments a pass takes.
#include <algorithm>

#include "storage/rewrite_impl.h"

namespace storage {
namespace {

// Bytes of a message frame of format 1 that a body in the log comes with, about.
constexpr uint64_t frame_beside_body = 256;
constexpr double small_share = 0.3;
constexpr uint64_t looked_at_again_after = 5000;  // LSNs, where only a reading can tell

}  // namespace

// All but the last, to which frames are appended, and what is known to be damaged.
Result<void> Rewrite::Impl::list_candidates() {
  Result<Lsn> free = free_lsn();
  if (!free) return free.error();
  for (size_t i = 0; i + 1 < segments_.size(); ++i) {
    Candidate c;
    c.name = segments_[i];
    c.last = Lsn(segments_[i + 1].first.value - 1);
    if (c.last > picture_ || c.last > *free || account_.damaged_segments().count({c.name.first, c.name.generation})) {
      c.blocked = true;
    }
    Result<std::shared_ptr<File>> file = account_.files().open(c.name.first, c.name.generation);
    if (!file) return file.error();
    Result<uint64_t> size = (*file)->size();
    if (!size) return size.error();
    c.size = *size;
    uint8_t bytes[segment_header_size];
    Result<size_t> n = (*file)->read_at(0, bytes);
    if (!n) return n.error();
    if (std::optional<SegmentHeader> h = SegmentHeader::decode({bytes, *n})) {
      c.letters = h->format() >= 2;
      c.packed = h->packed > 0;
    }
    candidates_.push_back(c);
  }
  return {};
}

Result<Lsn> Rewrite::Impl::free_lsn() {
  Result<std::vector<Pin>> pins = read_pins(account_.env(), account_.directory());
  if (!pins && pins.error().code == Errc::corrupt) return Lsn(0);
  if (!pins) return pins.error();
  return free_below(*pins);
}

Rewrite::Impl::Candidate* Rewrite::Impl::candidate(const BodyPlace& p) {
  auto it = std::lower_bound(candidates_.begin(), candidates_.end(), p.segment,
                             [](const Candidate& c, Lsn first) { return c.name.first < first; });
  bool found = it != candidates_.end() && it->name.first == p.segment && it->name.generation == p.generation;
  return found ? &*it : nullptr;
}

// Letters are made smaller in any case; bodies of format 1 become letters where many are small.
bool Rewrite::Impl::worth_packing(const Candidate& c) const {
  if (!packing_ || c.packed) return false;
  return c.letters || static_cast<double>(c.small_bodies) >= small_share * static_cast<double>(c.size);
}

// The run that promises most by what is known without reading it.
bool Rewrite::Impl::choose() {
  // Not before there is the dictionary that makes it worth its while.
  packing_ = options_.pack && account_.format() >= 2 && !account_.lacks_dictionary();
  auto worth = [&](const Candidate& c) {
    if (c.blocked) return false;
    if (worth_packing(c)) return true;
    auto size = static_cast<double>(c.size);
    uint64_t bodies = c.live_bodies + c.dead_bodies + (c.letters ? 0 : c.bodies * frame_beside_body);
    uint64_t others = c.size > bodies ? c.size - bodies : 0;
    if (static_cast<double>(c.dead_bodies) >= options_.dead_share * size) return true;
    if (static_cast<double>(c.dead_bodies + others) < options_.dead_share * size) return false;
    auto seen = account_.surveyed().find({c.name.first, c.name.generation});
    if (seen == account_.surveyed().end()) return true;
    return picture_.value - seen->second.first.value >= looked_at_again_after;
  };
  size_t best = candidates_.size();
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if (!worth(candidates_[i])) continue;
    if (best == candidates_.size() || candidates_[i].dead_bodies > candidates_[best].dead_bodies) best = i;
  }
  auto small = [&](const Candidate& c) { return !c.blocked && c.size <= options_.small_bytes; };
  size_t first = best, count = 0;
  uint64_t bytes = 0;
  if (best < candidates_.size()) {
    bytes = candidates_[best].size;
    count = 1;
    auto takes = [&](size_t i) {
      const Candidate& c = candidates_[i];
      return (worth(c) || small(c)) && bytes + c.size <= options_.run_bytes;
    };
    for (; first > 0 && takes(first - 1); ++count) bytes += candidates_[--first].size;
    for (; first + count < candidates_.size() && takes(first + count); ++count)
      bytes += candidates_[first + count].size;
  } else {
    for (size_t i = 0, n = 0; i < candidates_.size() && !merging_; ++i) {
      n = small(candidates_[i]) ? n + 1 : 0;
      if (n < 4) continue;
      first = i + 1 - n;
      count = n;
      bool goes_on = i + 1 < candidates_.size() && small(candidates_[i + 1]) &&
                     (n + 1) * options_.small_bytes <= options_.run_bytes;
      merging_ = !goes_on;
    }
    if (count == 0) return false;
    merging_ = true;
  }
  run_first_ = candidates_.data() + first;
  run_count_ = count;
  return true;
}

// Whether the run has letters to compress again.
bool Rewrite::Impl::packs() const {
  return std::any_of(run_first_, run_first_ + run_count_, [&](const Candidate& c) { return worth_packing(c); });
}

}  // namespace storage
