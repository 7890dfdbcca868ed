#include "storage/rewrite.h"

#include <algorithm>

#include "storage/account_impl.h"
#include "storage/rewrite_impl.h"
#include "storage/space.h"

namespace storage {
namespace {

Failure later(const char* why) { return Failure(Errc::unavailable, why); }

constexpr size_t index_slice = 4096;

bool by_offset(const BodyPlace& a, const BodyPlace& b) { return a.offset < b.offset; }

}  // namespace

Rewrite::Impl::Impl(Account::Impl& account, const RewriteOptions& options)
    : account_(account),
      options_(options),
      watch_(account.rewriting()),
      live_({account.state().subscriptions(), account.state().annotations(), account.state().epoch()}) {
  picture_ = account.writer().appended();
  slots_ = account.state().slots();
  // What has not been looked at since index.snap was written is read from there; also after it has been replaced.
  if (Result<SnapshotFile> f = SnapshotFile::open(account.env(), account.directory() / "index.snap")) {
    snapshot_ = std::move(*f);
    cold_file_ = cold_file(account.env(), account.directory(), snapshot_->file(), snapshot_->header().lsn,
                           account.cold_health());
  }
  next_slot_ = slots_.begin();
  segments_ = account.files().names();
}

Result<Rewrite::Step> Rewrite::Impl::survey(uint64_t bytes) {
  switch (phase_) {
    case Phase::mailboxes:
      for (size_t n = 0; next_slot_ != slots_.end() && n < 100'000; ++next_slot_) {
        const auto& [key, slot] = *next_slot_;
        std::shared_ptr<const MailboxState> box = slot.mailbox;
        if (!box) {
          if (!snapshot_) return later("index.snap cannot be read");
          Result<std::shared_ptr<const MailboxState>> read = snapshot_->mailbox(slot.section, key, cold_file_);
          if (!read) return later("index.snap cannot be read");
          box = *read;
        }
        live_.add(*box);
        n += box->size() + 1;
      }
      if (next_slot_ != slots_.end()) return Step::more;
      // A body may be used by a message of which nothing could be read.
      if (account_.cold_health()->lost) return later("index.snap and the log are damaged: see doctor");
      slots_.clear();
      snapshot_.reset();
      cold_file_.reset();
      live_.finish();
      if (Result<void> r = list_candidates(); !r) return r.error();
      phase_ = Phase::counting;
      return Step::more;
    case Phase::counting:
    case Phase::gathering: {
      std::vector<BodyPlace> places;
      Result<bool> more = account_.bodies().part(index_at_, index_slice, places);
      if (!more) return more.error();
      for (const BodyPlace& p : places) {
        Candidate* c = candidate(p);
        if (c == nullptr) continue;
        if (phase_ == Phase::counting) {
          (live_.uses(p.name) ? c->live_bodies : c->dead_bodies) += frame_header_size + p.length;
          ++c->bodies;
          if (p.length < dictionary_limit) c->small_bodies += frame_header_size + p.length;
        } else if (c >= run_first_ && c < run_first_ + run_count_) {
          bool used = live_.uses(p.name);
          (used ? c->kept : dead_).push_back(p);
          if (!used) c->dead_at.push_back(p.offset);
        }
      }
      if (*more) return Step::more;
      index_at_ = {};
      if (phase_ == Phase::counting) {
        if (!choose()) return Step::nothing;
        phase_ = Phase::gathering;
      } else {
        for (size_t i = 0; i < run_count_; ++i) {
          std::sort(run_first_[i].kept.begin(), run_first_[i].kept.end(), by_offset);
          std::sort(run_first_[i].dead_at.begin(), run_first_[i].dead_at.end());
        }
        phase_ = Phase::reading;
      }
      return Step::more;
    }
    case Phase::reading: {
      Result<bool> more = walk(bytes);
      if (!more) return more.error();
      if (*more) return Step::more;
      for (size_t i = 0; i < run_count_; ++i) {
        account_.surveyed()[{run_first_[i].name.first, run_first_[i].name.generation}] = {picture_,
                                                                                          run_first_[i].dead_bodies};
      }
      result_.read = total_bytes_;
      bool worth = static_cast<double>(dead_bytes_) >= options_.dead_share * static_cast<double>(total_bytes_);
      if (!worth && !merging_ && !packs()) return Step::nothing;
      phase_ = Phase::condemning;
      return Step::done;
    }
    default:
      return Failure(Errc::internal, "survey of a pass that is further");
  }
}

Result<bool> Rewrite::Impl::condemn(size_t bodies) {
  if (phase_ != Phase::condemning) return Failure(Errc::internal, "not surveyed");
  std::vector<BodyPlace> some;
  for (; !dead_.empty() && some.size() < bodies; dead_.pop_back()) {
    // Taken up again by a message that came since the picture.
    if (watch_->touched.count(dead_.back().name) != 0) {
      if (Candidate* c = candidate(dead_.back())) {
        const BodyPlace& p = dead_.back();
        c->kept.insert(std::upper_bound(c->kept.begin(), c->kept.end(), p, by_offset), p);
      }
    } else {
      some.push_back(dead_.back());
    }
  }
  ++account_.condemnations();
  std::vector<BodyPlace> gone = account_.bodies().condemn(some);
  watch_->condemned.insert(watch_->condemned.end(), gone.begin(), gone.end());
  if (!dead_.empty()) return false;
  phase_ = Phase::copying;
  return true;
}

Result<Rewrite::Step> Rewrite::Impl::copy(uint64_t bytes) {
  if (phase_ != Phase::copying) return Failure(Errc::internal, "not condemned");
  if (watch_->is_void()) return later("a body came back into use");
  if (!writer_) {
    Result<std::shared_ptr<File>> file = account_.files().open(run_first_->name.first, run_first_->name.generation);
    if (!file) return file.error();
    Result<FrameCursor> first = FrameCursor::open(*file, run_first_->name, run_first_->last);
    if (!first) return first.error();
    SegmentHeader h;
    h.account = first->segment().account;
    h.first = run_first_->name.first;
    h.last = run_first_[run_count_ - 1].last;
    h.needs = picture_;
    for (size_t i = 0; i < run_count_; ++i) h.generation = std::max(h.generation, run_first_[i].name.generation + 1);
    const Dictionaries& dictionaries = *account_.bodies().dictionaries();
    if (uint32_t id = packing_ ? dictionaries.newest() : 0) {
      Result<std::shared_ptr<const Dictionary>> got = dictionaries.get(id);
      if (!got) return later("the dictionary cannot be read");
      dictionary_ = std::move(*got);
    }
    if (packing_) h.packed = level_of_rewriting;
    result_.first = h.first;
    result_.last = h.last;
    Result<std::unique_ptr<SegmentWriter>> made =
        SegmentWriter::create(account_.env(), account_.files().directory(), h);
    if (!made) return made.error();
    writer_ = std::move(*made);
    at_ = 0;
    keywords_ = KeywordsSeen();
  }
  Result<bool> more = walk(bytes);
  if (!more) return more.error();
  if (*more) return Step::more;
  if (Result<void> r = writer_->seal(); !r) return r.error();
  result_.written = writer_->size();
  // Nothing that decided what goes may be lost after it has gone.
  if (account_.writer().durable() < picture_) {
    if (Result<Lsn> r = account_.writer().sync(); !r) return r.error();
  }
  std::lock_guard lock(account_.space_mutex());
  Result<Lsn> free = free_lsn();
  if (!free) return free.error();
  if (result_.last > *free) return later("pinned meanwhile");
  if (!watch_->name()) return later("a body came back into use");
  if (Result<void> r = writer_->publish(); !r) return r.error();
  phase_ = Phase::adopting;
  return Step::done;
}

Result<bool> Rewrite::Impl::adopt(size_t bodies) {
  if (phase_ == Phase::finished) return true;
  if (phase_ != Phase::adopting) return Failure(Errc::internal, "not copied");
  if (adopted_ == 0) {
    std::vector<SegmentName> old;
    for (size_t i = 0; i < run_count_; ++i) old.push_back(run_first_[i].name);
    account_.files().replace(old, writer_->name());
    watch_->finish = [this] { (void)adopt(SIZE_MAX); };
  }
  size_t n = std::min(bodies, moved_.size() - adopted_);
  account_.bodies().move(std::span(moved_).subspan(adopted_, n), writer_->name().first, writer_->name().generation);
  for (const DictionaryPlace& p : moved_dictionaries_) account_.bodies().dictionaries()->put(p);
  moved_dictionaries_.clear();
  adopted_ += n;
  if (adopted_ < moved_.size()) return false;
  phase_ = Phase::finished;
  account_.segments_changed();
  release();
  return true;
}

Result<void> Rewrite::Impl::cancel() {
  if (phase_ == Phase::finished) return {};
  if (phase_ == Phase::adopting) {
    // It has its name: the only way is on.
    (void)adopt(SIZE_MAX);
    return {};
  }
  Result<void> r;
  if (writer_) r = writer_->discard();
  if (r) {
    account_.bodies().pardon(watch_->condemned);
  } else {
    // It may be in force when the store is opened next: what it left out must never be needed again.
    account_.stop_rewriting();
  }
  phase_ = Phase::finished;
  release();
  return r;
}

void Rewrite::Impl::release() {
  watch_->finish = nullptr;
  watch_.reset();
  account_.end_rewriting();
}

Rewrite::Rewrite(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Rewrite::~Rewrite() = default;
Result<Rewrite::Step> Rewrite::survey(uint64_t bytes) { return impl_->survey(bytes); }
Result<bool> Rewrite::condemn(size_t bodies) { return impl_->condemn(bodies); }
Result<Rewrite::Step> Rewrite::copy(uint64_t bytes) { return impl_->copy(bytes); }
Result<bool> Rewrite::adopt(size_t bodies) { return impl_->adopt(bodies); }
Result<void> Rewrite::cancel() { return impl_->cancel(); }
const RewriteResult& Rewrite::result() const { return impl_->result(); }

Result<std::unique_ptr<Rewrite>> Space::begin(const RewriteOptions& options) {
  std::unique_ptr<Rewrite> none;
  if (impl_.options().read_only || impl_.writer().failed()) return none;
  Result<std::vector<Pin>> pins = this->pins();
  if (!pins && pins.error().code != Errc::corrupt) return pins.error();
  if (!pins || !free_below(*pins)) return none;
  if (Result<void> r = impl_.commit_dictionary(); !r) return r.error();
  // What is still appended to is not rewritten: where much of it would become smaller, the next begins early.
  if (options.pack && impl_.format() >= 2 && impl_.writer().offset() >= options.tail_bytes) {
    if (Result<void> r = impl_.writer().roll_if_above(options.tail_bytes); !r) return r.error();
  }
  if (impl_.files().names().size() < 2 || !impl_.begin_rewriting()) return none;
  return std::unique_ptr<Rewrite>(new Rewrite(std::make_unique<Rewrite::Impl>(impl_, options)));
}

}  // namespace storage
