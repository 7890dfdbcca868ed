#include "storage/body_index.h"

#include <algorithm>

namespace storage {

size_t BodyTable::slot(const Sha256& name) const {
  uint64_t h = load_le<uint64_t>(name.data());  // of a hash any part is one
  for (size_t at = h & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at] == 0 || places_[slots_[at] - 1].name == name) return at;
  }
}

void BodyTable::grow(size_t slots) {
  slots_.assign(slots, 0);
  for (uint32_t i = 0; i < places_.size(); ++i) slots_[slot(places_[i].name)] = i + 1;
}

void BodyTable::reserve(size_t n) {
  places_.reserve(n);
  size_t slots = 16;
  while (slots < 2 * n) slots *= 2;
  if (slots > slots_.size()) grow(slots);
}

bool BodyTable::add(const BodyPlace& place) {
  if (2 * (places_.size() + 1) > slots_.size()) grow(std::max<size_t>(16, 2 * slots_.size()));
  size_t at = slot(place.name);
  if (slots_[at] != 0) return false;
  places_.push_back(place);
  slots_[at] = static_cast<uint32_t>(places_.size());
  return true;
}

void BodyTable::set_generations(const std::map<Lsn, uint32_t>& by_first) {
  auto last = by_first.end();
  for (BodyPlace& p : places_) {
    if (last == by_first.end() || last->first != p.segment) last = by_first.find(p.segment);
    p.generation = last == by_first.end() ? 0 : last->second;
  }
}

BodyPlace* BodyTable::find(const Sha256& name) {
  if (slots_.empty()) return nullptr;
  uint32_t i = slots_[slot(name)];
  return i == 0 ? nullptr : &places_[i - 1];
}

void BodyIndex::set_base(Loader load) {
  std::lock_guard lock(mutex_);
  load_ = std::move(load);
}

Result<void> BodyIndex::load() {
  if (!load_) return {};
  Result<BodyTable> base = load_();
  if (!base) return base.error();
  base_ = std::move(*base);
  load_ = nullptr;
  return {};
}

void BodyIndex::put(const BodyPlace& place) {
  std::lock_guard lock(mutex_);
  changed_[place.name] = place;
  dropped_.erase(place.name);
}

BodyPlace* BodyIndex::entry(const Sha256& name) {
  if (auto it = changed_.find(name); it != changed_.end()) return it->second.segment ? &it->second : nullptr;
  BodyPlace* place = base_.find(name);
  return place && place->segment ? place : nullptr;
}

void BodyIndex::drop(const BodyPlace& place) {
  std::lock_guard lock(mutex_);
  if (!load()) return;  // nothing can have come from it then
  if (BodyPlace* there = entry(place.name); there && same_place(*there, place)) dropped_[place.name] = place;
}

void BodyIndex::suspect(const BodyPlace& place) {
  {
    std::lock_guard lock(mutex_);
    auto [it, first] = suspected_.emplace(place.name, place);
    if (first || !same_place(it->second, place)) {
      it->second = place;
      return;
    }
    suspected_.erase(it);
  }
  drop(place);
}

std::optional<BodyPlace> BodyIndex::dropped(const Sha256& name) {
  std::lock_guard lock(mutex_);
  auto it = dropped_.find(name);
  return it == dropped_.end() ? std::nullopt : std::optional<BodyPlace>(it->second);
}

Result<std::optional<BodyPlace>> BodyIndex::find(const Sha256& name) {
  std::lock_guard lock(mutex_);
  if (changed_.count(name) == 0) {
    if (Result<void> r = load(); !r) return r.error();
  }
  BodyPlace* there = entry(name);
  if (auto bad = dropped_.find(name); there && bad != dropped_.end() && same_place(bad->second, *there))
    there = nullptr;
  return there ? std::optional<BodyPlace>(*there) : std::nullopt;
}

Result<std::vector<BodyPlace>> BodyIndex::all() {
  std::lock_guard lock(mutex_);
  if (Result<void> r = load(); !r) return r.error();
  std::vector<BodyPlace> places;
  for (const BodyPlace& p : base_.places()) {
    if (p.segment && changed_.count(p.name) == 0) places.push_back(p);
  }
  for (const auto& [name, p] : changed_) {
    if (p.segment) places.push_back(p);
  }
  std::sort(places.begin(), places.end(), [](const BodyPlace& a, const BodyPlace& b) { return a.name < b.name; });
  return places;
}

Result<size_t> BodyIndex::part(size_t from, size_t at_most, std::vector<BodyPlace>& out) {
  std::lock_guard lock(mutex_);
  if (Result<void> r = load(); !r) return r.error();
  if (from == 0) {
    for (const auto& [name, p] : changed_) {
      if (p.segment) out.push_back(p);
    }
  }
  const std::vector<BodyPlace>& base = base_.places();
  size_t to = std::min(base.size(), from + at_most);
  for (size_t i = from; i < to; ++i) {
    if (base[i].segment && changed_.count(base[i].name) == 0) out.push_back(base[i]);
  }
  return to < base.size() ? to : 0;
}

std::vector<BodyPlace> BodyIndex::condemn(std::span<const BodyPlace> places) {
  std::lock_guard lock(mutex_);
  std::vector<BodyPlace> gone;
  if (!load()) return gone;
  for (const BodyPlace& p : places) {
    BodyPlace* there = entry(p.name);
    if (!there || !same_place(*there, p)) continue;
    gone.push_back(p);
    condemned_[p.name] = p;
    there->segment = Lsn(0);
  }
  return gone;
}

void BodyIndex::pardon(std::span<const BodyPlace> places) {
  std::lock_guard lock(mutex_);
  for (const BodyPlace& p : places) {
    condemned_.erase(p.name);
    if (entry(p.name) == nullptr) changed_[p.name] = p;
  }
}

std::optional<BodyPlace> BodyIndex::find_condemned(const Sha256& name) {
  std::lock_guard lock(mutex_);
  auto it = condemned_.find(name);
  return it == condemned_.end() ? std::nullopt : std::optional<BodyPlace>(it->second);
}

void BodyIndex::forget_condemned(Lsn segment, uint32_t generation) {
  std::lock_guard lock(mutex_);
  std::erase_if(condemned_,
                [&](const auto& e) { return e.second.segment == segment && e.second.generation == generation; });
}

void BodyIndex::move(std::span<const Moved> moved, Lsn segment, uint32_t generation) {
  std::lock_guard lock(mutex_);
  for (const Moved& m : moved) {
    BodyPlace* there = entry(m.from.name);
    if (!there || !same_place(*there, m.from)) continue;
    there->segment = segment;
    there->generation = generation;
    there->offset = m.to;
    there->length = m.length;
  }
}

}  // namespace storage
