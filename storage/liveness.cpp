#include "storage/liveness.h"

#include <algorithm>

#include "storage/state.h"

namespace storage {
namespace {

bool intersects(const UidSet& a, const UidSet& b) {
  auto i = a.ranges().begin();
  auto k = b.ranges().begin();
  while (i != a.ranges().end() && k != b.ranges().end()) {
    if (i->last < k->first) {
      ++i;
    } else if (k->last < i->first) {
      ++k;
    } else {
      return true;
    }
  }
  return false;
}

const Flags* added_flags(const record::Op& op, MailboxKey& mailbox) {
  if (const auto* m = std::get_if<record::Message>(&op)) {
    mailbox = m->mailbox;
    return &m->flags;
  }
  const auto* u = std::get_if<record::FlagUpdate>(&op);
  if (u == nullptr || u->change.mode == FlagsMode::remove) return nullptr;
  mailbox = u->mailbox;
  return &u->change.flags;
}

}  // namespace

void Liveness::add(const MailboxState& mailbox) {
  Box& b = boxes_[mailbox.info().key];
  b.uids = mailbox.uids();
  b.cursor = mailbox.cursor();
  b.highest = mailbox.info().highest_modseq;
  b.floor = mailbox.tombstones().floor;
  b.mirror = mailbox.info().mode == ModSeqMode::mirror;
  mailbox.collect_bodies(bodies_);
}

void Liveness::finish() {
  std::sort(bodies_.begin(), bodies_.end());
  bodies_.erase(std::unique(bodies_.begin(), bodies_.end()), bodies_.end());
}

bool Liveness::uses(const Sha256& body) const { return std::binary_search(bodies_.begin(), bodies_.end(), body); }

const Liveness::Box* Liveness::box(MailboxKey key) const {
  auto it = boxes_.find(key);
  return it == boxes_.end() ? nullptr : &it->second;
}

bool Liveness::needs_cursor(const Box& b, const SyncCursor& c) const {
  if (b.cursor == c) return true;
  const uint64_t present = b.cursor ? b.cursor->highest_modseq.value : 0, number = c.highest_modseq.value;
  if (number > present) return true;
  // Any complete one up to here may be the first: it made the tombstones exact from floor + 1 on.
  const uint64_t listed = b.floor.value + 1;
  if (!c.complete) return number == listed;
  if (b.floor.value == 0 && b.mirror && b.cursor && b.cursor->complete && present <= 1) return false;
  return number <= listed;
}

bool Liveness::needs(const record::Op& op) const {
  if (const auto* m = std::get_if<record::Message>(&op)) {
    const Box* b = box(m->mailbox);
    return b && (b->uids.contains(m->uid) || m->modseq >= b->highest);
  }
  if (const auto* l = std::get_if<record::BodyLink>(&op)) {
    const Box* b = box(l->mailbox);
    return b && b->uids.contains(l->uid);
  }
  if (const auto* u = std::get_if<record::FlagUpdate>(&op)) {
    const Box* b = box(u->mailbox);
    return b && (intersects(u->uids, b->uids) || u->modseq >= b->highest);
  }
  if (const auto* c = std::get_if<record::Cursor>(&op)) {
    const Box* b = box(c->mailbox);
    return b && needs_cursor(*b, c->cursor);
  }
  if (const auto* s = std::get_if<record::Subscription>(&op)) {
    return (facts_.subscriptions.count(AccountState::normal(s->name)) != 0) == s->on;
  }
  if (const auto* a = std::get_if<record::Annotation>(&op)) {
    if (a->mailbox.value != 0) return true;  // kept and not used yet
    auto it = facts_.annotations.find(a->name);
    return it == facts_.annotations.end() ? a->value.empty() : it->second == a->value;
  }
  if (const auto* e = std::get_if<record::EpochRaised>(&op)) return e->epoch >= facts_.epoch;
  return !std::holds_alternative<record::Checkpoint>(op);
}

bool KeywordsSeen::first_with(const Liveness& live, const record::Op& op) {
  MailboxKey mailbox;
  const Flags* flags = added_flags(op, mailbox);
  if (flags == nullptr || !live.has_mailbox(mailbox)) return false;
  bool first = false;
  for (const std::string& k : flags->keywords) {
    std::string lower = k;
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    first = seen_.emplace(mailbox, std::move(lower)).second || first;
  }
  return first;
}

}  // namespace storage
