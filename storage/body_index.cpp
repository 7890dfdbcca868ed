#include "storage/body_index.h"

#include <algorithm>

namespace storage {
namespace {

bool before(const BodyPlace& p, const Sha256& name) { return p.name < name; }

}  // namespace

void BodyIndex::set_base(Loader load) {
  std::lock_guard lock(mutex_);
  load_ = std::move(load);
}

Result<void> BodyIndex::load() {
  if (!load_) return {};
  Result<std::vector<BodyPlace>> base = load_();
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
  auto it = std::lower_bound(base_.begin(), base_.end(), name, before);
  return it == base_.end() || it->name != name || !it->segment ? nullptr : &*it;
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
  for (const BodyPlace& p : base_) {
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
  size_t to = std::min(base_.size(), from + at_most);
  for (size_t i = from; i < to; ++i) {
    if (base_[i].segment && changed_.count(base_[i].name) == 0) out.push_back(base_[i]);
  }
  return to < base_.size() ? to : 0;
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
  }
}

}  // namespace storage
