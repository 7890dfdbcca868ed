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
}

void BodyIndex::drop(const Sha256& name) {
  std::lock_guard lock(mutex_);
  changed_[name] = BodyPlace{name, Lsn(0), 0, 0};
}

Result<std::optional<BodyPlace>> BodyIndex::find(const Sha256& name) {
  std::lock_guard lock(mutex_);
  if (auto it = changed_.find(name); it != changed_.end()) {
    return it->second.segment ? std::optional<BodyPlace>(it->second) : std::nullopt;
  }
  if (Result<void> r = load(); !r) return r.error();
  auto it = std::lower_bound(base_.begin(), base_.end(), name, before);
  if (it == base_.end() || it->name != name) return std::optional<BodyPlace>();
  return std::optional<BodyPlace>(*it);
}

Result<std::vector<BodyPlace>> BodyIndex::all() {
  std::lock_guard lock(mutex_);
  if (Result<void> r = load(); !r) return r.error();
  std::vector<BodyPlace> places;
  for (const BodyPlace& p : base_) {
    if (changed_.count(p.name) == 0) places.push_back(p);
  }
  for (const auto& [name, p] : changed_) {
    if (p.segment) places.push_back(p);
  }
  std::sort(places.begin(), places.end(), [](const BodyPlace& a, const BodyPlace& b) { return a.name < b.name; });
  return places;
}

}  // namespace storage
