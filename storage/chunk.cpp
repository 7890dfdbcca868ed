#include "storage/chunk.h"

#include <algorithm>
#include <numeric>

#include "storage/mailbox.h"

namespace storage {

uint32_t MessageChunk::lower_bound(uint32_t u) const {
  return static_cast<uint32_t>(std::lower_bound(uid.begin(), uid.end(), u) - uid.begin());
}

const std::vector<uint32_t>* MessageChunk::overflow_of(uint32_t i) const {
  if (!(flags[i] & overflow_bit) || !overflow) return nullptr;
  auto it = overflow->find(uid[i]);
  return it == overflow->end() ? nullptr : &it->second;
}

// At most 1,024 of each.
uint32_t MessageChunk::counts() const {
  return counts_.get([&] {
    uint32_t unseen = 0, deleted = 0;
    for (uint64_t f : flags) {
      unseen += (f & wire::base::seen) == 0 ? 1 : 0;
      deleted += (f & wire::base::deleted) != 0 ? 1 : 0;
    }
    return deleted << 16 | unseen;
  });
}

bool MessageChunk::same_as(const MessageChunk& o) const {
  if (this == &o) return true;
  if (uid != o.uid || modseq != o.modseq || flags != o.flags) return false;
  return overflow == o.overflow || (overflow && o.overflow && *overflow == *o.overflow);
}

std::shared_ptr<MessageChunk> MessageChunk::packed(MailboxKey mailbox, ColdStore::Place place) const {
  UidSet uids;
  add_uids(uids, uid);
  auto c = std::make_shared<MessageChunk>();
  c->uid.assign(uid.begin(), uid.end());
  c->modseq.assign(modseq.begin(), modseq.end());
  c->flags.assign(flags.begin(), flags.end());
  c->overflow = overflow;
  c->cold = std::make_shared<ColdStore>(std::move(place), mailbox, std::move(uids));
  return c;
}

std::shared_ptr<MessageChunk> MessageChunk::copy(uint64_t new_token) const {
  auto c = std::make_shared<MessageChunk>(*this);
  c->token = new_token;
  return c;
}

void MessageChunk::set_overflow(uint32_t u, std::vector<uint32_t> keywords) {
  if (!overflow && keywords.empty()) return;
  auto changed = overflow ? std::make_shared<Overflow>(*overflow) : std::make_shared<Overflow>();
  if (keywords.empty()) {
    changed->erase(u);
  } else {
    (*changed)[u] = std::move(keywords);
  }
  overflow = changed->empty() ? nullptr : std::move(changed);
}

void MessageChunk::set_info(uint32_t i, MessageInfo info) {
  own_index();
  if (cold->full()) repack();
  cold_index[i] = cold->add(std::move(info));
}

void MessageChunk::insert(uint32_t i, uint32_t u, uint64_t m, uint64_t f, MessageInfo info) {
  own_index();
  if (cold->full()) repack();
  uint32_t c = cold->add(std::move(info));
  changed();
  uid.insert(uid.begin() + i, u);
  modseq.insert(modseq.begin() + i, m);
  flags.insert(flags.begin() + i, f);
  cold_index.insert(cold_index.begin() + i, c);
}

void MessageChunk::append_from(const MessageChunk& other, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i < to; ++i) {
    insert(size(), other.uid[i], other.modseq[i], other.flags[i], other.info(i));
    if (const std::vector<uint32_t>* o = other.overflow_of(i)) set_overflow(other.uid[i], *o);
  }
}

void MessageChunk::own_index() {
  if (!cold_index.empty()) return;
  cold_index.resize(size());
  std::iota(cold_index.begin(), cold_index.end(), 0u);
}

void MessageChunk::repack() {
  auto fresh = std::make_shared<ColdStore>();
  for (uint32_t& c : cold_index) c = fresh->add(cold->at(c));
  cold = std::move(fresh);
}

}  // namespace storage
