#include "gateway/imap/key_run.h"

#include <algorithm>

#include "gateway/derived/content.h"
#include "gateway/imap/body_pass.h"

namespace gateway::imap {
namespace {

// Shared with the pool, which runs to its end even when the session is cancelled.
struct KeyPass {
  std::shared_ptr<const SearchJob> job;
  derived::WantedKeys wanted;
  TakeKeys take;
  std::shared_ptr<std::atomic<bool>> cancelled;
  std::optional<storage::DerivedReader> derived;
  size_t position = 0;
  bool fillable = false;
  std::vector<uint32_t> missed;  // indexes of the snapshot

  bool from_entry(size_t at) {
    const SearchMessage m = job->message(job->found[at]);
    const auto name = m.in->body(m.index);
    const bool there = name && derived->seek(*name);
    fillable = fillable || (name && !there);
    if (!there) return false;
    const auto envelope = derived->column(derived::envelope);
    const auto blob = envelope ? derived->column(derived::keys) : std::nullopt;
    auto keys = blob ? derived::read_keys(*blob, *envelope, wanted) : std::nullopt;
    if (keys) take(at, std::move(*keys));
    return keys.has_value();
  }

  bool from_derived(Slices::Clock::time_point until) {
    for (bool first = true; position < job->found.size() && !*cancelled; ++position, first = false) {
      if (!first && Slices::Clock::now() > until) return false;
      if (!from_entry(position)) missed.push_back(job->found[position]);
    }
    return true;
  }

  void from_bytes(const LoadedBody& body) {
    const auto at = std::lower_bound(job->found.begin(), job->found.end(), body.shown_index);
    take(static_cast<size_t>(at - job->found.begin()), derived::sort_keys(body.scan.header(0)));
  }
};

}  // namespace

awaitable<bool> read_keys(Session& s, Slices& slices, std::shared_ptr<const SearchJob> job, derived::WantedKeys keys,
                          TakeKeys take) {
  auto pass = std::make_shared<KeyPass>();
  pass->job = job;
  pass->wanted = keys;
  pass->take = std::move(take);
  pass->cancelled = slices.cancelled();
  const auto data = co_await s.account().derived();
  if (data) {
    pass->derived.emplace(data->reader());
    Slices::Work work = [pass](Slices::Clock::time_point until) { return pass->from_derived(until); };
    const bool wanted = co_await slices.run(std::move(work));
    if (!wanted) co_return false;
    if (pass->fillable) s.account().want_derived(s.selected()->box);
  } else {
    pass->missed = job->found;
  }
  BodyNeeds needs;
  needs.header = true;
  LookAtBody look = [pass](const LoadedBody& body) { pass->from_bytes(body); };
  std::string trouble = "could not be read: its place is a guess";
  co_return co_await pass_over_bodies(s, slices, pass->missed, std::move(needs), std::move(look), std::move(trouble));
}

}  // namespace gateway::imap
