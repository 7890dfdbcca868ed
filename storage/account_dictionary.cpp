// The account's dictionary: when it is worth one, from what it is trained, and how it gets into the log.
#include <algorithm>

#include "storage/account_impl.h"
#include "storage/body_reader.h"

namespace storage {
namespace {

constexpr size_t most_samples = 4000;

}  // namespace

void Account::Impl::find_dictionaries() {
  bodies_->dictionaries()->set_files([this](Lsn first, uint32_t generation) { return files_.open(first, generation); });
}

bool Account::Impl::lacks_dictionary() const {
  return (small_uncounted_ || small_bodies_ >= enough_small_bodies) && bodies_->dictionaries()->newest() == 0;
}

uint64_t Account::Impl::count_small(std::span<const BodyPlace> places) {
  auto small = [](const BodyPlace& p) { return p.length < dictionary_limit; };
  return static_cast<uint64_t>(std::count_if(places.begin(), places.end(), small));
}

bool Account::Impl::wants_dictionary() const {
  return format_ >= 2 && !options_.read_only && !tried_ && lacks_dictionary();
}

Result<void> Account::Impl::train() {
  if (!wants_dictionary() || tried_.exchange(true)) return {};
  Result<std::vector<BodyPlace>> places = bodies_->all();
  if (!places) return places.error();
  if (small_uncounted_) {
    small_bodies_ = count_small(*places);
    small_uncounted_ = false;
    if (!lacks_dictionary()) return {};
  }
  // The same messages give the same dictionary: the order is that of hashes, which is as good as any lot.
  std::erase_if(*places, [](const BodyPlace& p) { return p.length >= dictionary_limit; });
  std::vector<std::string> samples;
  size_t bytes = 0;
  for (const BodyPlace& p : *places) {
    Result<BodyReader> body = open_body(p.name);
    if (!body && body.error().code == Errc::io) return body.error();
    if (!body || body->size() >= dictionary_limit) continue;
    Result<std::string> text = body->read_all(dictionary_limit);
    if (!text) continue;  // damaged: whoever reads it hears of it
    bytes += text->size();
    samples.push_back(std::move(*text));
    if (bytes > sample_limit || samples.size() == most_samples) break;
  }
  std::vector<uint8_t> made = storage::train_dictionary(samples);
  std::lock_guard lock(trained_mutex_);
  trained_ = std::move(made);
  return {};
}

// A batch of its own, in front of the one that is being committed.
Result<void> Account::Impl::commit_dictionary() {
  std::vector<uint8_t> made;
  {
    std::lock_guard lock(trained_mutex_);
    made.swap(trained_);
  }
  if (made.empty()) return {};
  Batch::Impl batch(*this);
  batch.put_dictionary(bodies_->dictionaries()->next_id(), made);
  if (Result<Lsn> r = commit(batch); !r) {
    std::lock_guard lock(trained_mutex_);
    trained_ = std::move(made);  // the next commit tries again
    return r.error();
  }
  return {};
}

}  // namespace storage
