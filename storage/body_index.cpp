#include "storage/body_index.h"

#include <algorithm>

namespace storage {

void BodyIndex::set_base(Loader load) {
  std::lock_guard lock(mutex_);
  load_ = std::move(load);
  base_ = nullptr;
  ++rebased_;
}

Result<BodyIndex::Base> BodyIndex::base(const Base& failed) {
  std::lock_guard loading(loading_);
  Loader load;
  uint64_t of = 0;
  {
    std::lock_guard lock(mutex_);
    if (base_ != failed || !load_) return base_;
    load = load_;
    of = rebased_;
  }
  Result<Base> made = load(failed != nullptr);
  if (!made) return made;
  std::lock_guard lock(mutex_);
  if (of == rebased_) base_ = *made;
  return made;
}

std::optional<BodyPlace> BodyIndex::layered(const Sha256& name) const {
  if (std::optional<BodyPlace> p = changed_.find(name)) return p;
  return frozen_.find(name);
}

std::optional<BodyPlace> BodyIndex::usable(const std::optional<BodyPlace>& place) const {
  if (!place || !place->segment) return {};
  auto bad = dropped_.find(place->name);
  if (bad != dropped_.end() && same_place(bad->second, *place)) return {};
  return place;
}

void BodyIndex::put(const BodyPlace& place) {
  std::lock_guard lock(mutex_);
  changed_.put(place);
  dropped_.erase(place.name);
}

// If it has moved, what is found is elsewhere, and this says nothing about it.
void BodyIndex::drop(const BodyPlace& place) {
  std::lock_guard lock(mutex_);
  if (std::optional<BodyPlace> there = layered(place.name); there && !same_place(*there, place)) return;
  dropped_[place.name] = place;
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
  for (Base failed;;) {
    Base base;
    uint64_t of = 0;
    bool none = false;
    {
      std::lock_guard lock(mutex_);
      if (std::optional<BodyPlace> p = layered(name)) return usable(p);
      base = base_;
      of = rebased_;
      none = !load_;
    }
    if (none) return std::optional<BodyPlace>();
    if (!base || base == failed) {
      Result<Base> loaded = this->base(failed);
      if (!loaded) return loaded.error();
      base = *loaded;
      if (!base || base == failed) return Failure(Errc::corrupt, "index.snap: bodies");
    }
    Result<std::optional<BodyPlace>> there = base->find(name);
    if (!there) {
      failed = std::move(base);
      continue;
    }
    std::lock_guard lock(mutex_);
    if (of != rebased_) continue;
    // It may have come, moved or gone meanwhile.
    if (std::optional<BodyPlace> p = layered(name)) return usable(p);
    return usable(*there);
  }
}

Result<std::vector<BodyPlace>> BodyIndex::all() {
  std::vector<BodyPlace> places;
  Pass pass;
  for (bool more = true; more;) {
    Result<bool> next = part(pass, SIZE_MAX, places);
    if (!next) return next.error();
    more = *next;
  }
  std::sort(places.begin(), places.end(), [](const BodyPlace& a, const BodyPlace& b) { return a.name < b.name; });
  return places;
}

void BodyIndex::freeze() {
  std::lock_guard lock(mutex_);
  if (frozen_.size() == 0) {
    frozen_ = std::move(changed_);
  } else {
    for (size_t i = 0; i < changed_.size(); ++i) frozen_.put(changed_.at(i));
  }
  changed_ = BodyTable();
}

void BodyIndex::rebase(Loader load) {
  BodyTable old;
  Base before;
  std::lock_guard lock(mutex_);
  // What a pass took out and did not give back is still in index.snap.
  for (size_t i = 0; i < frozen_.size(); ++i) {
    if (BodyPlace p = frozen_.at(i); !p.segment && !changed_.contains(p.name)) changed_.add(p);
  }
  old = std::exchange(frozen_, BodyTable());
  before = std::exchange(base_, nullptr);
  load_ = std::move(load);
  ++rebased_;
}

Result<bool> BodyIndex::part(Pass& pass, size_t at_most, std::vector<BodyPlace>& out) {
  if (pass.layer < 2) {
    std::lock_guard lock(mutex_);
    const BodyTable& layer = pass.layer == 0 ? changed_ : frozen_;
    const size_t to = at_most < layer.size() - std::min(pass.at, layer.size()) ? pass.at + at_most : layer.size();
    for (; pass.at < to; ++pass.at) {
      BodyPlace p = layer.at(pass.at);
      if (p.segment && (pass.layer == 0 || !changed_.contains(p.name))) out.push_back(p);
    }
    if (pass.at >= layer.size()) pass = {pass.layer + 1, 0};
    return true;
  }
  Result<Base> base = this->base();
  if (base && !*base) return false;
  const size_t from = out.size();
  Result<size_t> next = base ? (*base)->part(pass.at, at_most, out) : Result<size_t>(base.error());
  if (!next && base && pass.at == 0) {
    out.resize(from);
    base = this->base(*base);
    if (base && *base) next = (*base)->part(pass.at, at_most, out);
  }
  if (!base) return base.error();
  if (!next) {
    (void)this->base(*base);
    return Failure(Errc::unavailable, "index.snap cannot be read");
  }
  std::lock_guard lock(mutex_);
  out.erase(std::remove_if(out.begin() + static_cast<ptrdiff_t>(from), out.end(),
                           [&](const BodyPlace& p) { return layered(p.name).has_value(); }),
            out.end());
  pass.at = *next;
  return *next != 0;
}

std::vector<BodyPlace> BodyIndex::condemn(std::span<const BodyPlace> places) {
  std::lock_guard lock(mutex_);
  std::vector<BodyPlace> gone;
  for (const BodyPlace& p : places) {
    if (std::optional<BodyPlace> there = layered(p.name); there && !same_place(*there, p)) continue;
    gone.push_back(p);
    condemned_.put(p);
    changed_.put({p.name, Lsn(0), 0, 0, 0});
  }
  return gone;
}

void BodyIndex::pardon(std::span<const BodyPlace> places) {
  std::lock_guard lock(mutex_);
  BodyTable pardoned;
  for (const BodyPlace& p : places) {
    pardoned.add(p);
    if (std::optional<BodyPlace> there = layered(p.name); there && !there->segment) changed_.put(p);
  }
  condemned_.erase_if([&](const BodyPlace& p) { return pardoned.contains(p.name); });
}

std::optional<BodyPlace> BodyIndex::find_condemned(const Sha256& name) {
  std::lock_guard lock(mutex_);
  return condemned_.find(name);
}

void BodyIndex::forget_condemned(Lsn segment, uint32_t generation) {
  std::lock_guard lock(mutex_);
  condemned_.erase_if([&](const BodyPlace& p) { return p.segment == segment && p.generation == generation; });
}

void BodyIndex::move(std::span<const Moved> moved, Lsn segment, uint32_t generation) {
  std::lock_guard lock(mutex_);
  for (const Moved& m : moved) {
    if (std::optional<BodyPlace> there = layered(m.from.name); there && !same_place(*there, m.from)) continue;
    changed_.put({m.from.name, segment, generation, m.to, m.length});
  }
}

size_t BodyIndex::bytes() {
  std::lock_guard lock(mutex_);
  return changed_.bytes() + frozen_.bytes() + condemned_.bytes() + (base_ ? base_->bytes() : 0);
}

void BodyIndex::rest() {
  Base base;
  {
    std::lock_guard lock(mutex_);
    base = base_;
  }
  if (base) base->rest();
}

}  // namespace storage
