#include "storage/mailbox_state.h"

#include <algorithm>
#include <utility>

namespace storage {
namespace {

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

struct Value {
  uint64_t mask;
  std::vector<uint32_t> overflow;
};

// What the flags of a message become that has none beyond the mask, by a change that has none either.
uint64_t changed_mask(FlagsMode mode, uint64_t mask, uint64_t by) {
  switch (mode) {
    case FlagsMode::replace:
      return by;
    case FlagsMode::add:
      return mask | by;
    case FlagsMode::remove:
      return mask & ~by;
  }
  return mask;
}

// What a message's flags become.
Value changed(FlagsMode mode, uint64_t mask, const std::vector<uint32_t>* overflow, uint64_t by,
              const std::vector<uint32_t>& by_overflow) {
  static const std::vector<uint32_t> none;
  const std::vector<uint32_t>& had = overflow ? *overflow : none;
  Value v{mask & ~overflow_bit, {}};
  switch (mode) {
    case FlagsMode::replace:
      v.mask = by;
      v.overflow = by_overflow;
      break;
    case FlagsMode::add:
      v.mask |= by;
      std::set_union(had.begin(), had.end(), by_overflow.begin(), by_overflow.end(), std::back_inserter(v.overflow));
      break;
    case FlagsMode::remove:
      v.mask &= ~by;
      std::set_difference(had.begin(), had.end(), by_overflow.begin(), by_overflow.end(),
                          std::back_inserter(v.overflow));
      break;
  }
  if (!v.overflow.empty()) v.mask |= overflow_bit;
  return v;
}

constexpr uint8_t known_system = 31;

}  // namespace

std::optional<uint32_t> KeywordTable::find(std::string_view name) const {
  auto it = numbers.find(lower(name));
  if (it == numbers.end()) return {};
  return it->second;
}

uint32_t KeywordTable::add(std::string_view name) {
  auto [it, fresh] = numbers.emplace(lower(name), static_cast<uint32_t>(names.size()));
  if (fresh) names.emplace_back(name);
  return it->second;
}

MailboxState::MailboxState(MailboxInfo info)
    : info_(std::move(info)), keywords_(std::make_shared<KeywordTable>()), tombstones_(std::make_shared<Tombstones>()) {
  tombstones_->listed = info_.mode == ModSeqMode::own;
  tombstones_->floor = info_.highest_modseq;
}

MailboxSnapshotPtr MailboxState::snapshot() const {
  auto s = std::make_shared<MailboxSnapshot>();
  s->info_ = info_;
  s->size_ = size_;
  s->chunks_.assign(chunks_.begin(), chunks_.end());
  s->first_index_.reserve(chunks_.size());
  uint32_t at = 0;
  for (const auto& c : chunks_) {
    s->first_index_.push_back(at);
    at += c->size();
  }
  s->keywords_ = std::shared_ptr<const std::vector<std::string>>(keywords_, &keywords_->names);
  s->tombstones_ = tombstones_;
  return s;
}

std::optional<MailboxState::Place> MailboxState::find(Uid uid) const {
  auto it = std::lower_bound(chunks_.begin(), chunks_.end(), uid.value,
                             [](const auto& c, uint32_t u) { return c->uid.back() < u; });
  if (it == chunks_.end()) return {};
  uint32_t at = (*it)->lower_bound(uid.value);
  if ((*it)->uid[at] != uid.value) return {};
  return Place{static_cast<size_t>(it - chunks_.begin()), at};
}

template <class F>
void MailboxState::for_each(const UidSet& uids, F&& f) const {
  size_t c = 0;
  for (const UidSet::Range& r : uids.ranges()) {
    while (c < chunks_.size() && chunks_[c]->uid.back() < r.first.value) ++c;
    for (size_t k = c; k < chunks_.size() && chunks_[k]->uid.front() <= r.last.value; ++k) {
      const MessageChunk& chunk = *chunks_[k];
      const uint32_t from = chunk.uid.front() >= r.first.value ? 0 : chunk.lower_bound(r.first.value);
      const uint32_t to = chunk.uid.back() <= r.last.value ? chunk.size() : chunk.lower_bound(r.last.value + 1);
      if (from < to) f(k, from, to);
    }
  }
}

ModSeq MailboxState::highest_of_messages() const {
  uint64_t highest = 0;
  for (const auto& c : chunks_) highest = std::max(highest, *std::max_element(c->modseq.begin(), c->modseq.end()));
  return ModSeq(highest);
}

MailboxState::Bits MailboxState::bits(const Flags& flags) const {
  Bits b;
  b.mask = flags.system & known_system;
  for (const std::string& k : flags.keywords) {
    std::optional<uint32_t> n = keywords_->find(k);
    if (!n) {
      b.unknown = true;
    } else if (*n < mask_keywords) {
      b.mask |= uint64_t{1} << (8 + *n);
    } else {
      b.overflow.push_back(*n);
    }
  }
  std::sort(b.overflow.begin(), b.overflow.end());
  b.overflow.erase(std::unique(b.overflow.begin(), b.overflow.end()), b.overflow.end());
  return b;
}

MailboxState::Bits MailboxState::bits_adding(uint64_t token, const Flags& flags) {
  for (const std::string& k : flags.keywords) {
    if (keywords_->find(k)) continue;
    if (keywords_->token != token) {
      keywords_ = std::make_shared<KeywordTable>(*keywords_);
      keywords_->token = token;
    }
    keywords_->add(k);
  }
  return bits(flags);
}

std::shared_ptr<MailboxState> MailboxState::with(const Replacements& chunks) const {
  auto made = std::make_shared<MailboxState>(*this);
  for (auto& c : made->chunks_) {
    if (auto it = chunks.find(c.get()); it != chunks.end()) c = it->second;
  }
  return made;
}

MailboxState::Touched MailboxState::would_change(const UidSet& uids, const FlagChange& change, bool always) const {
  Touched t;
  Bits by = bits(change.flags);
  always = always || (by.unknown && change.mode != FlagsMode::remove);
  std::optional<Place> next;  // of the message behind the last one of the run
  uint32_t run_first = 0, run_last = 0;
  for_each(uids, [&](size_t k, uint32_t from, uint32_t to) {
    const MessageChunk& c = *chunks_[k];
    uint32_t first = 0, last = 0;  // UIDs without a gap
    for (uint32_t at = from; at < to; ++at) {
      const uint64_t is = c.flags[at];
      if (!always && by.overflow.empty() && !(is & overflow_bit)) {
        if (changed_mask(change.mode, is, by.mask) == is) continue;
      } else if (!always) {
        const std::vector<uint32_t>* had = c.overflow_of(at);
        Value v = changed(change.mode, is, had, by.mask, by.overflow);
        if (v.mask == is && (had ? v.overflow == *had : v.overflow.empty())) continue;
      }
      const uint32_t u = c.uid[at];
      if (!next || next->chunk != k || next->at != at) {
        if (next) t.runs.add(Uid(run_first), Uid(run_last));
        run_first = u;
      }
      run_last = u;
      next = at + 1 == c.size() ? Place{k + 1, 0} : Place{k, at + 1};
      if (first != 0 && u != last + 1) t.uids.add(Uid(first), Uid(last)), first = 0;
      if (first == 0) first = u;
      last = u;
    }
    if (first != 0) t.uids.add(Uid(first), Uid(last));
  });
  if (next) t.runs.add(Uid(run_first), Uid(run_last));
  return t;
}

UidSet MailboxState::present(const UidSet& uids) const {
  UidSet found;
  for_each(uids, [&](size_t k, uint32_t from, uint32_t to) {
    add_uids(found, {chunks_[k]->uid.data() + from, to - from});
  });
  return found;
}

UidSet MailboxState::uids() const {
  UidSet all;
  for (const auto& c : chunks_) {
    for (uint32_t u : c->uid) all.add(Uid(u));
  }
  return all;
}

void MailboxState::collect_bodies(std::vector<Sha256>& out) const {
  for (const auto& c : chunks_) {
    c->cold->bodies(c->cold_index, c->size(), out);
  }
}

MessageChunk& MailboxState::writable(uint64_t token, size_t chunk) {
  if (chunks_[chunk]->token != token) chunks_[chunk] = chunks_[chunk]->copy(token);
  chunks_[chunk]->changed();
  return *chunks_[chunk];
}

Tombstones& MailboxState::writable_tombstones(uint64_t token) {
  if (tombstones_->token != token) {
    tombstones_ = std::make_shared<Tombstones>(*tombstones_);
    tombstones_->token = token;
  }
  return *tombstones_;
}

void MailboxState::split(uint64_t token, size_t chunk) {
  auto low = std::make_shared<MessageChunk>(), high = std::make_shared<MessageChunk>();
  low->token = high->token = token;
  const MessageChunk& whole = *chunks_[chunk];
  low->append_from(whole, 0, whole.size() / 2);
  high->append_from(whole, whole.size() / 2, whole.size());
  chunks_[chunk] = std::move(low);
  chunks_.insert(chunks_.begin() + static_cast<ptrdiff_t>(chunk) + 1, std::move(high));
}

void MailboxState::raise(ModSeq m) {
  if (info_.mode == ModSeqMode::own) info_.highest_modseq = std::max(info_.highest_modseq, m);
}

bool MailboxState::add(uint64_t token, record::Message m) {
  if (m.uid.value == 0 || m.uid.value == UINT32_MAX || find(m.uid) || was_expunged(m.uid)) return false;
  Bits b = bits_adding(token, m.flags);
  if (!b.overflow.empty()) b.mask |= overflow_bit;

  size_t k = chunks_.size();
  if (!chunks_.empty()) {
    auto it = std::lower_bound(chunks_.begin(), chunks_.end(), m.uid.value,
                               [](const auto& c, uint32_t u) { return c->uid.back() < u; });
    k = static_cast<size_t>(it - chunks_.begin());
    if (k == chunks_.size() && chunks_.back()->size() < chunk_capacity) --k;
    if (k < chunks_.size() && chunks_[k]->size() >= chunk_capacity) {
      split(token, k);
      if (chunks_[k]->uid.back() < m.uid.value) ++k;
    }
  }
  if (k == chunks_.size()) {
    chunks_.push_back(std::make_shared<MessageChunk>());
    chunks_.back()->token = token;
  }
  MessageChunk& c = writable(token, k);
  c.insert(c.lower_bound(m.uid.value), m.uid.value, m.modseq.value, b.mask, std::move(m.info));
  if (!b.overflow.empty()) c.set_overflow(m.uid.value, std::move(b.overflow));
  ++size_;
  info_.uid_next = std::max(info_.uid_next, m.uid.next());
  raise(m.modseq);
  return true;
}

void MailboxState::link(uint64_t token, const record::BodyLink& l) {
  std::optional<Place> p = find(l.uid);
  if (!p) return;  // expunged later: a rewrite has left out the message, and its body's link is in another segment
  MessageChunk& c = writable(token, p->chunk);
  MessageInfo info = c.info(p->at);
  info.body = l.body;
  if (l.size) info.size = *l.size;
  c.set_info(p->at, std::move(info));
}

bool MailboxState::change_flags(uint64_t token, const record::FlagUpdate& u) {
  Bits by = u.change.mode == FlagsMode::remove ? bits(u.change.flags) : bits_adding(token, u.change.flags);
  for_each(u.uids, [&](size_t k, uint32_t from, uint32_t to) {
    MessageChunk& c = writable(token, k);
    std::fill(c.modseq.begin() + from, c.modseq.begin() + to, u.modseq.value);
    for (uint32_t at = from; at < to; ++at) {
      if (by.overflow.empty() && !(c.flags[at] & overflow_bit)) {
        c.flags[at] = changed_mask(u.change.mode, c.flags[at], by.mask);
        continue;
      }
      const std::vector<uint32_t>* had = c.overflow_of(at);
      Value v = changed(u.change.mode, c.flags[at], had, by.mask, by.overflow);
      if (had || !v.overflow.empty()) c.set_overflow(c.uid[at], std::move(v.overflow));
      c.flags[at] = v.mask;
    }
  });
  raise(u.modseq);
  return true;  // a rewrite may have left all of its messages out of the log
}

bool MailboxState::expunge(uint64_t token, const record::Expunge& e) {
  // All of them are gone, also those whose messages a rewrite has left out of the log.
  const UidSet& gone = e.uids;
  if (gone.empty()) return false;
  for (size_t k = 0; k < chunks_.size(); ++k) {
    if (chunks_[k]->uid.back() < gone.min().value || chunks_[k]->uid.front() > gone.max().value) continue;
    const MessageChunk& old = *chunks_[k];
    std::vector<uint32_t> kept;
    kept.reserve(old.size());
    for (uint32_t at = 0; at < old.size(); ++at) {
      if (!gone.contains(Uid(old.uid[at]))) kept.push_back(at);
    }
    if (kept.size() == old.size()) continue;
    auto fresh = std::make_shared<MessageChunk>();
    fresh->token = token;
    fresh->cold = old.cold;
    for (uint32_t at : kept) {
      fresh->uid.push_back(old.uid[at]);
      fresh->modseq.push_back(old.modseq[at]);
      fresh->flags.push_back(old.flags[at]);
      fresh->cold_index.push_back(old.cold_at(at));
      if (const std::vector<uint32_t>* o = old.overflow_of(at)) fresh->set_overflow(old.uid[at], *o);
    }
    chunks_[k] = std::move(fresh);
  }
  std::erase_if(chunks_, [](const auto& c) { return c->uid.empty(); });
  // Neighbours that fit one half are joined, so that a mailbox that shrank does not keep a chunk a message.
  for (size_t k = 0; k + 1 < chunks_.size();) {
    if (chunks_[k]->size() + chunks_[k + 1]->size() > chunk_capacity / 2) {
      ++k;
      continue;
    }
    writable(token, k).append_from(*chunks_[k + 1], 0, chunks_[k + 1]->size());
    chunks_.erase(chunks_.begin() + static_cast<ptrdiff_t>(k) + 1);
  }
  size_ = 0;
  for (const auto& c : chunks_) size_ += c->size();
  info_.uid_next = std::max(info_.uid_next, gone.max().next());

  Tombstones& t = writable_tombstones(token);
  for (const UidSet::Range& r : gone.ranges()) t.entries.push_back({e.modseq.value, r.first.value, r.last.value});
  t.expunged.add(gone);
  raise(e.modseq);
  return true;
}

void MailboxState::forget_tombstones(uint64_t token, size_t ranges) {
  if (tombstones_->entries.size() <= ranges + ranges / 4) return;
  Tombstones& t = writable_tombstones(token);
  auto keep_from = t.entries.end() - static_cast<ptrdiff_t>(ranges);
  for (auto it = t.entries.begin(); it != keep_from; ++it) t.floor = std::max(t.floor, ModSeq(it->modseq));
  t.entries.erase(t.entries.begin(), keep_from);
}

bool MailboxState::change(uint64_t token, const MailboxChange& c) {
  if (c.name) info_.name = *c.name;
  if (c.separator) info_.separator = *c.separator;
  if (c.attributes) info_.attributes = *c.attributes;
  if (c.special_use) info_.special_use = *c.special_use;
  if (c.mailbox_id) info_.mailbox_id = *c.mailbox_id;
  if (c.uid_next) info_.uid_next = std::max(info_.uid_next, *c.uid_next);
  if (c.highest_modseq) info_.highest_modseq = std::max(info_.highest_modseq, *c.highest_modseq);
  if (c.first_recent) info_.first_recent = std::max(info_.first_recent, *c.first_recent);
  if (c.history_floor) {
    Tombstones& t = writable_tombstones(token);
    t.floor = std::max(t.floor, *c.history_floor);
    std::erase_if(t.entries, [&](const Tombstones::Entry& e) { return e.modseq <= t.floor.value; });
  }
  if (c.mode && *c.mode == ModSeqMode::own && info_.mode == ModSeqMode::mirror) {
    // From here on numbers are ours: above everything that was ever shown.
    info_.mode = ModSeqMode::own;
    info_.highest_modseq = std::max(info_.highest_modseq, highest_of_messages());
    Tombstones& t = writable_tombstones(token);
    t.inclusive_until = info_.highest_modseq;
    if (!t.listed) t.floor = info_.highest_modseq;
    t.listed = true;
    return true;
  }
  return !c.mode || *c.mode == info_.mode;
}

void MailboxState::reset(uint64_t token, const MailboxInfo& to) {
  info_.uid_validity = to.uid_validity;
  info_.uid_next = std::max(to.uid_next, Uid(1));
  info_.highest_modseq = to.highest_modseq;
  info_.mode = to.mode;
  info_.first_recent = Uid(1);
  size_ = 0;
  chunks_.clear();
  cursor_.reset();
  keywords_ = std::make_shared<KeywordTable>();
  keywords_->token = token;
  tombstones_ = std::make_shared<Tombstones>();
  tombstones_->token = token;
  tombstones_->listed = info_.mode == ModSeqMode::own;
  tombstones_->floor = info_.highest_modseq;
}

void MailboxState::set_cursor(uint64_t token, const SyncCursor& cursor) {
  cursor_ = cursor;
  if (info_.mode != ModSeqMode::mirror) return;
  info_.highest_modseq = std::max(info_.highest_modseq, cursor.highest_modseq);
  if (cursor.complete && !tombstones_->listed) {
    Tombstones& t = writable_tombstones(token);
    t.listed = true;
    // Exact from the number that this listing stands for on.
    t.floor = ModSeq(info_.highest_modseq.value == 0 ? 0 : info_.highest_modseq.value - 1);
  }
}

}  // namespace storage
