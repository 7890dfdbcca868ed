#include "storage/mailbox.h"

#include <algorithm>

#include "storage/chunk.h"
#include "storage/mailbox_state.h"

namespace storage {
namespace {

// The chunk that holds `index`, and where in it.
std::pair<size_t, uint32_t> locate(const std::vector<uint32_t>& first_index, uint32_t index) {
  auto it = std::upper_bound(first_index.begin(), first_index.end(), index);
  auto chunk = static_cast<size_t>(it - first_index.begin()) - 1;
  return {chunk, index - first_index[chunk]};
}

bool same_flags(const MessageChunk& a, uint32_t i, const MessageChunk& b, uint32_t k) {
  if (a.modseq[i] != b.modseq[k] || a.flags[i] != b.flags[k]) return false;
  if (!(a.flags[i] & overflow_bit)) return true;
  const std::vector<uint32_t>*x = a.overflow_of(i), *y = b.overflow_of(k);
  return x && y ? *x == *y : x == y;
}

}  // namespace

void add_uids(UidSet& set, std::span<const uint32_t> uids) {
  for (size_t i = 0; i < uids.size();) {
    size_t last = i;
    while (last + 1 < uids.size() && uids[last + 1] == uids[last] + 1) ++last;
    set.add(Uid(uids[i]), Uid(uids[last]));
    i = last + 1;
  }
}

Uid MailboxSnapshot::uid(uint32_t index) const {
  auto [c, at] = locate(first_index_, index);
  return Uid(chunks_[c]->uid[at]);
}

ModSeq MailboxSnapshot::modseq(uint32_t index) const {
  auto [c, at] = locate(first_index_, index);
  return ModSeq(chunks_[c]->modseq[at]);
}

uint64_t MailboxSnapshot::flag_bits(uint32_t index) const {
  auto [c, at] = locate(first_index_, index);
  return chunks_[c]->flags[at];
}

uint8_t MailboxSnapshot::system_flags(uint32_t index) const { return static_cast<uint8_t>(flag_bits(index) & 31); }

Flags MailboxSnapshot::flags(uint32_t index) const {
  auto [c, at] = locate(first_index_, index);
  uint64_t bits = chunks_[c]->flags[at];
  Flags f;
  f.system = static_cast<uint8_t>(bits & 31);
  for (uint64_t rest = (bits & ~overflow_bit) >> 8; rest != 0; rest &= rest - 1) {
    f.keywords.push_back((*keywords_)[static_cast<size_t>(__builtin_ctzll(rest))]);
  }
  if (const std::vector<uint32_t>* more = chunks_[c]->overflow_of(at)) {
    for (uint32_t k : *more) f.keywords.push_back((*keywords_)[k]);
  }
  return f;
}

const MessageInfo& MailboxSnapshot::message(uint32_t index) const {
  auto [c, at] = locate(first_index_, index);
  return chunks_[c]->info(at);
}

std::optional<Sha256> MailboxSnapshot::body(uint32_t index) const {
  auto [c, at] = locate(first_index_, index);
  return chunks_[c]->cold->body(chunks_[c]->cold_at(at));
}

MessageColumns MailboxSnapshot::columns(uint32_t begin, uint32_t end) const {
  auto [c, at] = locate(first_index_, begin);
  const MessageChunk& chunk = *chunks_[c];
  const size_t n = std::min<size_t>(chunk.size() - at, end - begin);
  return {{chunk.uid.data() + at, n}, {chunk.modseq.data() + at, n}, {chunk.flags.data() + at, n}};
}

uint32_t MailboxSnapshot::unseen() const {
  uint32_t n = 0;
  for (const auto& c : chunks_) n += c->unseen();
  return n;
}

uint32_t MailboxSnapshot::deleted() const {
  uint32_t n = 0;
  for (const auto& c : chunks_) n += c->deleted();
  return n;
}

std::optional<uint32_t> MailboxSnapshot::first_unseen() const {
  for (size_t k = 0; k < chunks_.size(); ++k) {
    if (chunks_[k]->unseen() == 0) continue;
    const std::vector<uint64_t>& flags = chunks_[k]->flags;
    const auto at = std::find_if(flags.begin(), flags.end(), [](uint64_t f) { return (f & wire::base::seen) == 0; });
    return first_index_[k] + static_cast<uint32_t>(at - flags.begin());
  }
  return {};
}

bool MailboxSnapshot::same_as(const MailboxSnapshot& o) const {
  if (size_ != o.size_ || chunks_.size() != o.chunks_.size() || info_ != o.info_ || *keywords_ != *o.keywords_) {
    return false;
  }
  // Pointers first: where something changed, it most likely shows there.
  for (size_t k = chunks_.size(); k-- > 0;) {
    if (!chunks_[k]->same_as(*o.chunks_[k])) return false;
  }
  return true;
}

uint32_t MailboxSnapshot::lower_bound(Uid uid) const {
  auto it = std::lower_bound(chunks_.begin(), chunks_.end(), uid.value,
                             [](const auto& c, uint32_t u) { return c->uid.back() < u; });
  if (it == chunks_.end()) return size_;
  return first_index_[static_cast<size_t>(it - chunks_.begin())] + (*it)->lower_bound(uid.value);
}

std::optional<uint32_t> MailboxSnapshot::find(Uid wanted) const {
  uint32_t i = lower_bound(wanted);
  if (i == size_ || uid(i) != wanted) return {};
  return i;
}

const std::vector<std::string>& MailboxSnapshot::keywords() const { return *keywords_; }

UidSet MailboxSnapshot::vanished_since(ModSeq since) const {
  const Tombstones& t = *tombstones_;
  bool inclusive = info_.mode == ModSeqMode::mirror || since <= t.inclusive_until;
  bool exact = t.listed && (inclusive ? since > t.floor : since >= t.floor);
  UidSet gone;
  if (exact) {
    for (const Tombstones::Entry& e : t.entries) {
      if (e.modseq > since.value || (inclusive && e.modseq == since.value)) gone.add(Uid(e.first), Uid(e.last));
    }
    return gone;
  }
  uint32_t next = 1;
  for (const auto& c : chunks_) {
    for (uint32_t u : c->uid) {
      if (u > next) gone.add(Uid(next), Uid(u - 1));
      next = u + 1;
    }
  }
  if (next < info_.uid_next.value) gone.add(Uid(next), Uid(info_.uid_next.value - 1));
  return gone;
}

UidSet MailboxSnapshot::changed_since(ModSeq since) const {
  UidSet changed;
  for (const auto& c : chunks_) {
    for (uint32_t i = 0; i < c->size(); ++i) {
      if (c->modseq[i] > since.value) changed.add(Uid(c->uid[i]));
    }
  }
  return changed;
}

UidSet MailboxSnapshot::uids() const {
  UidSet all;
  for (const auto& c : chunks_) {
    add_uids(all, c->uid);
  }
  return all;
}

SnapshotDiff SnapshotDiff::between(const MailboxSnapshot& from, const MailboxSnapshot& to) {
  SnapshotDiff d;
  uint32_t last_known = from.size_ == 0 ? 0 : from.chunks_.back()->uid.back();
  size_t a = 0, b = 0;          // chunks
  uint32_t i = 0, k = 0;        // positions in them
  uint32_t at_a = 0, at_b = 0;  // indexes in the snapshots
  while (a < from.chunks_.size() || b < to.chunks_.size()) {
    if (i == 0 && k == 0 && a < from.chunks_.size() && b < to.chunks_.size() &&
        from.chunks_[a]->same_as(*to.chunks_[b])) {
      at_a += from.chunks_[a++]->size();
      at_b += to.chunks_[b++]->size();
      continue;
    }
    const MessageChunk* x = a < from.chunks_.size() ? from.chunks_[a].get() : nullptr;
    const MessageChunk* y = b < to.chunks_.size() ? to.chunks_[b].get() : nullptr;
    uint64_t u = x ? x->uid[i] : UINT64_MAX, v = y ? y->uid[k] : UINT64_MAX;
    bool step_a = u <= v, step_b = v <= u;
    if (u < v) {
      d.expunged.push_back(at_a);
    } else if (v < u) {
      if (v > last_known) {
        ++d.added;
      } else {
        d.inserted.push_back(at_b);
      }
    } else if (!same_flags(*x, i, *y, k)) {
      d.changed.push_back(at_b);
    }
    if (step_a) {
      ++at_a;
      if (++i == x->size()) ++a, i = 0;
    }
    if (step_b) {
      ++at_b;
      if (++k == y->size()) ++b, k = 0;
    }
  }
  return d;
}

}  // namespace storage
