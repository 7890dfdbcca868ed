#include "storage/space.h"

#include <algorithm>

#include "storage/account_impl.h"
#include "wire/base/fault_point.h"

namespace storage {
namespace {

constexpr int64_t pinned_again = 60;  // seconds until it is worth asking whether a pin has ended

// When `by` was made: from then on what it replaced was not needed.
Result<int64_t> made_at(Env& env, const std::filesystem::path& log, const SegmentName& by) {
  Result<std::unique_ptr<File>> file = open_segment(env, log, by);
  if (!file) return file.error();
  uint8_t bytes[segment_header_size];
  Result<size_t> n = (*file)->read_at(0, bytes);
  if (!n) return n.error();
  std::optional<SegmentHeader> h = SegmentHeader::decode({bytes, *n});
  if (!h) return Failure(Errc::corrupt, "damaged segment header");
  return h->created;
}

// The last LSN of a segment that has been replaced by `by`.
Lsn last_of(const SegmentName& s, const SegmentName& by, const LogListing& listing) {
  if (s.last) return s.last;
  Lsn last = by.last;
  for (const SegmentName& other : listing.superseded) {
    if (other.first > s.first) last = std::min(last, Lsn(other.first.value - 1));
  }
  return last;
}

}  // namespace

Space::Space(Account& account) : impl_(*account.impl_) {}

RewriteOptions Space::usual() const { return RewriteOptions::for_segments(impl_.options().segment_bytes); }

Result<void> Space::pin(const std::string& name, PinKind kind, Lsn lsn, const std::string& reason) {
  if (impl_.options().read_only) return Failure(Errc::refused, "the store is open for reading only");
  std::lock_guard lock(impl_.space_mutex());
  return add_pin(impl_.env(), impl_.directory(), {name, kind, lsn, impl_.env().now(), reason});
}

Result<void> Space::unpin(const std::string& name) {
  std::lock_guard lock(impl_.space_mutex());
  return remove_pin(impl_.env(), impl_.directory(), name);
}

Result<std::vector<Pin>> Space::pins() {
  std::lock_guard lock(impl_.space_mutex());
  return read_pins(impl_.env(), impl_.directory());
}

Result<uint64_t> Space::retire(const RetireOptions& options) {
  if (impl_.options().read_only) return Failure(Errc::refused, "the store is open for reading only");
  Env& env = impl_.env();
  const std::filesystem::path& log = impl_.files().directory();
  std::filesystem::path retired = retired_directory(log);
  std::lock_guard lock(impl_.space_mutex());
  Result<std::vector<Pin>> pins = read_pins(env, impl_.directory());
  if (!pins) return pins.error();
  const Lsn free = free_below(*pins);
  if (!free) {
    impl_.set_retire_at(env.now() + pinned_again);
    return 0;
  }
  Result<LogListing> listing = list_log(env, log);
  if (!listing) return listing.error();
  const std::vector<SegmentName> used = impl_.files().names();
  const int64_t now = env.now();

  uint64_t moved = 0, removed = 0;
  int64_t next = INT64_MAX;
  // From the end, so that what is left tells where each one ends.
  for (auto s = listing->superseded.rbegin(); s != listing->superseded.rend(); ++s) {
    if (std::find(used.begin(), used.end(), *s) != used.end()) continue;  // not adopted yet
    auto by = std::find_if(listing->in_force.begin(), listing->in_force.end(),
                           [&](const SegmentName& r) { return r.last && r.first <= s->first && s->first <= r.last; });
    if (by == listing->in_force.end()) continue;
    Result<int64_t> since = made_at(env, log, *by);
    if (!since) return since.error();
    if (*since > now - options.linger) {
      next = std::min(next, *since + options.linger);
      continue;
    }
    if (moved++ == 0) {
      if (Result<void> r = env.make_directory(retired); !r) return r.error();
      if (Result<void> r = env.sync_directory(impl_.directory()); !r) return r.error();
    }
    RetiredName to{s->first, last_of(*s, *by, *listing), s->generation, *since};
    if (Result<void> r = impl_.files().retire(*s, retired / to.text()); !r) return r.error();
    wire::base::fault_point("rewrite-retire");
    listing->retired.push_back(to);
  }
  if (moved > 0) {
    if (Result<void> r = env.sync_directory(retired); !r) return r.error();
    if (Result<void> r = env.sync_directory(log); !r) return r.error();
  }
  for (const RetiredName& r : listing->retired) {
    if (r.since > now - options.keep || r.last > free) {
      next = std::min(next, std::max(r.since + options.keep, r.last > free ? now + pinned_again : now));
      continue;
    }
    if (Result<void> gone = env.remove(retired / r.text()); !gone) return gone.error();
    impl_.files().forget(r.first, r.generation);
    impl_.bodies().forget_condemned(r.first, r.generation);
    ++removed;
  }
  if (removed > 0) {
    if (Result<void> r = env.sync_directory(retired); !r) return r.error();
  }
  impl_.set_retire_at(next);
  return moved + removed;
}

std::optional<int64_t> Space::retire_due() const {
  const int64_t at = impl_.retire_at();
  return at == INT64_MAX ? std::nullopt : std::optional<int64_t>(at);
}

}  // namespace storage
