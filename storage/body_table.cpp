#include "storage/body_table.h"

#include <algorithm>

#include "storage/coding.h"

namespace storage {

size_t BodyTable::slot(const Sha256& name) const {
  uint64_t h = load_le<uint64_t>(name.data());  // of a hash any part is one
  for (size_t at = h & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at] == 0 || entry(slots_[at] - 1).name == name) return at;
  }
}

void BodyTable::grow(size_t slots) {
  slots_.clear();  // both at once would be half as much again
  slots_.shrink_to_fit();
  slots_.assign(slots, 0);
  for (uint32_t i = 0; i < size_; ++i) slots_[slot(entry(i).name)] = i + 1;
}

void BodyTable::reserve(size_t n) {
  size_t slots = 16;
  while (3 * slots < 4 * n) slots *= 2;
  if (slots > slots_.size()) grow(slots);
}

uint32_t BodyTable::segment(Lsn first, uint32_t generation) {
  const std::pair<Lsn, uint32_t> wanted(first, generation);
  if (last_ < segments_.size() && segments_[last_] == wanted) return last_;
  auto [it, fresh] = numbers_.emplace(wanted, static_cast<uint32_t>(segments_.size()));
  if (fresh) segments_.push_back(wanted);
  return last_ = it->second;
}

bool BodyTable::add(const BodyPlace& p) {
  reserve(size_ + 1);
  const size_t at = slot(p.name);
  if (slots_[at] != 0) return false;
  if (size_ == parts_.size() * part_size) parts_.push_back(std::make_unique<Entry[]>(part_size));
  entry(size_++) = {p.name, p.offset, p.length, segment(p.segment, p.generation)};
  slots_[at] = static_cast<uint32_t>(size_);
  return true;
}

void BodyTable::put(const BodyPlace& p) {
  if (add(p)) return;
  entry(number(p.name) - 1) = {p.name, p.offset, p.length, segment(p.segment, p.generation)};
}

BodyPlace BodyTable::at(size_t number) const {
  const Entry& e = entry(number);
  const auto& [first, generation] = segments_[e.segment];
  return {e.name, first, generation, e.offset, e.length};
}

std::optional<BodyPlace> BodyTable::find(const Sha256& name) const {
  const uint32_t n = number(name);
  return n == 0 ? std::nullopt : std::optional<BodyPlace>(at(n - 1));
}

void BodyTable::erase_if(const std::function<bool(const BodyPlace&)>& gone) {
  BodyTable left;
  for (size_t i = 0; i < size_; ++i) {
    if (const BodyPlace p = at(i); !gone(p)) left.add(p);
  }
  if (left.size() != size_) *this = std::move(left);
}

void BodyTable::set_generations(const std::map<Lsn, uint32_t>& by_first) {
  numbers_.clear();
  for (uint32_t i = 0; i < segments_.size(); ++i) {
    auto it = by_first.find(segments_[i].first);
    segments_[i].second = it == by_first.end() ? 0 : it->second;
    numbers_.emplace(segments_[i], i);
  }
}

}  // namespace storage
