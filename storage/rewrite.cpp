#include "storage/rewrite.h"

#include <algorithm>

#include "storage/account_impl.h"
#include "storage/crc32c.h"
#include "storage/frame_cursor.h"
#include "storage/rewrite_impl.h"
#include "storage/space.h"

namespace storage {
namespace {

Failure later(const char* why) { return Failure(Errc::unavailable, why); }

// Bytes of a message or flags frame that a body in the log comes with, about.
constexpr uint64_t frame_beside_body = 256;
constexpr size_t index_slice = 4096;
bool by_offset(const BodyPlace& a, const BodyPlace& b) { return a.offset < b.offset; }
constexpr uint64_t looked_at_again_after = 5000;  // LSNs, where only a reading can tell

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
  }
  next_slot_ = slots_.begin();
  segments_ = account.files().names();
}

// All but the last, to which frames are appended, and what is known to be damaged.
Result<void> Rewrite::Impl::list_candidates() {
  Result<Lsn> free = free_lsn();
  if (!free) return free.error();
  for (size_t i = 0; i + 1 < segments_.size(); ++i) {
    Candidate c;
    c.name = segments_[i];
    c.last = Lsn(segments_[i + 1].first.value - 1);
    if (c.last > picture_ || c.last > *free || account_.damaged_segments().count({c.name.first, c.name.generation})) {
      c.blocked = true;
    }
    Result<std::shared_ptr<File>> file = account_.files().open(c.name.first, c.name.generation);
    if (!file) return file.error();
    Result<uint64_t> size = (*file)->size();
    if (!size) return size.error();
    c.size = *size;
    candidates_.push_back(c);
  }
  return {};
}

Result<Lsn> Rewrite::Impl::free_lsn() {
  Result<std::vector<Pin>> pins = read_pins(account_.env(), account_.directory());
  if (!pins && pins.error().code == Errc::corrupt) return Lsn(0);
  if (!pins) return pins.error();
  return free_below(*pins);
}

Rewrite::Impl::Candidate* Rewrite::Impl::candidate(const BodyPlace& p) {
  auto it = std::lower_bound(candidates_.begin(), candidates_.end(), p.segment,
                             [](const Candidate& c, Lsn first) { return c.name.first < first; });
  bool found = it != candidates_.end() && it->name.first == p.segment && it->name.generation == p.generation;
  return found ? &*it : nullptr;
}

Result<Rewrite::Step> Rewrite::Impl::survey(uint64_t bytes) {
  switch (phase_) {
    case Phase::mailboxes:
      for (size_t n = 0; next_slot_ != slots_.end() && n < 100'000; ++next_slot_) {
        const auto& [key, slot] = *next_slot_;
        std::shared_ptr<const MailboxState> box = slot.mailbox;
        if (!box) {
          if (!snapshot_) return later("index.snap cannot be read");
          Result<std::shared_ptr<const Buffer>> section = snapshot_->section(slot.section);
          if (!section) return later("index.snap cannot be read");
          Result<std::shared_ptr<const MailboxState>> read = MailboxSection::decode(*section, key);
          if (!read) return later("index.snap cannot be read");
          box = *read;
        }
        live_.add(*box);
        n += box->size() + 1;
      }
      if (next_slot_ != slots_.end()) return Step::more;
      slots_.clear();
      snapshot_.reset();
      live_.finish();
      if (Result<void> r = list_candidates(); !r) return r.error();
      phase_ = Phase::counting;
      return Step::more;
    case Phase::counting:
    case Phase::gathering: {
      std::vector<BodyPlace> places;
      Result<size_t> next = account_.bodies().part(index_at_, index_slice, places);
      if (!next) return next.error();
      index_at_ = *next;
      for (const BodyPlace& p : places) {
        Candidate* c = candidate(p);
        if (c == nullptr) continue;
        if (phase_ == Phase::counting) {
          (live_.uses(p.name) ? c->live_bodies : c->dead_bodies) += frame_header_size + p.length;
          ++c->bodies;
        } else if (c >= run_first_ && c < run_first_ + run_count_) {
          bool used = live_.uses(p.name);
          (used ? c->kept : dead_).push_back(p);
          if (!used) c->dead_at.push_back(p.offset);
        }
      }
      if (index_at_ != 0) return Step::more;
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
      if (!worth && !merging_) return Step::nothing;
      phase_ = Phase::condemning;
      return Step::done;
    }
    default:
      return Failure(Errc::internal, "survey of a pass that is further");
  }
}

// The run that promises most by what is known without reading it.
bool Rewrite::Impl::choose() {
  auto worth = [&](const Candidate& c) {
    if (c.blocked) return false;
    auto size = static_cast<double>(c.size);
    uint64_t bodies = c.live_bodies + c.dead_bodies + c.bodies * frame_beside_body;
    uint64_t others = c.size > bodies ? c.size - bodies : 0;
    if (static_cast<double>(c.dead_bodies) >= options_.dead_share * size) return true;
    if (static_cast<double>(c.dead_bodies + others) < options_.dead_share * size) return false;
    auto seen = account_.surveyed().find({c.name.first, c.name.generation});
    if (seen == account_.surveyed().end()) return true;
    return picture_.value - seen->second.first.value >= looked_at_again_after;
  };
  size_t best = candidates_.size();
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if (!worth(candidates_[i])) continue;
    if (best == candidates_.size() || candidates_[i].dead_bodies > candidates_[best].dead_bodies) best = i;
  }
  auto small = [&](const Candidate& c) { return !c.blocked && c.size <= options_.small_bytes; };
  size_t first = best, count = 0;
  uint64_t bytes = 0;
  if (best < candidates_.size()) {
    bytes = candidates_[best].size;
    count = 1;
    auto takes = [&](size_t i) {
      const Candidate& c = candidates_[i];
      return (worth(c) || small(c)) && bytes + c.size <= options_.run_bytes;
    };
    for (; first > 0 && takes(first - 1); ++count) bytes += candidates_[--first].size;
    for (; first + count < candidates_.size() && takes(first + count); ++count)
      bytes += candidates_[first + count].size;
  } else {
    for (size_t i = 0, n = 0; i < candidates_.size() && !merging_; ++i) {
      n = small(candidates_[i]) ? n + 1 : 0;
      if (n < 4) continue;
      first = i + 1 - n;
      count = n;
      bool goes_on = i + 1 < candidates_.size() && small(candidates_[i + 1]) &&
                     (n + 1) * options_.small_bytes <= options_.run_bytes;
      merging_ = !goes_on;
    }
    if (count == 0) return false;
    merging_ = true;
  }
  run_first_ = candidates_.data() + first;
  run_count_ = count;
  return true;
}

// Reads, or with a writer copies, about `bytes` more of the run. False: all of it.
Result<bool> Rewrite::Impl::walk(uint64_t bytes) {
  Result<bool> more = walk_on(bytes);
  if (!more && more.error().code == Errc::corrupt && at_ < run_count_) {
    account_.damaged_segments().insert({run_first_[at_].name.first, run_first_[at_].name.generation});
  }
  return more;
}

Result<bool> Rewrite::Impl::walk_on(uint64_t bytes) {
  for (uint64_t done = 0; done < bytes; done += cursor_ ? cursor_->take_read() : 0) {
    if (at_ == run_count_) return false;
    const Candidate& c = run_first_[at_];
    if (!cursor_) {
      Result<std::shared_ptr<File>> file = account_.files().open(c.name.first, c.name.generation);
      if (!file) return file.error();
      Result<FrameCursor> opened = FrameCursor::open(*file, c.name, c.last);
      if (!opened) return opened.error();
      cursor_ = std::move(*opened);
      next_kept_ = 0;
      if (!writer_) total_bytes_ += c.size;
    }
    if (checking_) {
      Result<std::span<const uint8_t>> piece = cursor_->piece();
      if (!piece) return piece.error();
      if (!piece->empty()) {
        checked_ = crc32c(*piece, checked_);
        continue;
      }
      checking_ = false;
      if (checked_ != cursor_->frame().payload_crc) {
        return Failure(Errc::corrupt, "a damaged segment is not rewritten");
      }
    }
    if (in_body_) {
      Result<std::span<const uint8_t>> piece = cursor_->piece();
      if (!piece) return piece.error();
      if (!piece->empty()) {
        if (Result<void> r = writer_->put(*piece); !r) return r.error();
        continue;
      }
      in_body_ = false;
      if (Result<void> r = writer_->end(); !r) return r.error();
      if (cursor_->frame().flags & last_of_batch) {
        if (Result<void> r = writer_->end_batch(); !r) return r.error();
      }
    }
    Result<bool> there = cursor_->next();
    if (!there) return there.error();
    if (!*there) {
      cursor_.reset();
      ++at_;
      continue;
    }
    if (Result<void> r = frame(c); !r) return r.error();
  }
  return true;
}

// Decides on the frame under the cursor.
Result<void> Rewrite::Impl::frame(const Candidate& c) {
  const FrameHeader& h = cursor_->frame();
  bool keep = false;
  const BodyPlace* body = nullptr;
  if (h.kind == FrameKind::body) {
    while (next_kept_ < c.kept.size() && c.kept[next_kept_].offset < cursor_->offset()) ++next_kept_;
    keep = next_kept_ < c.kept.size() && c.kept[next_kept_].offset == cursor_->offset();
    if (keep) body = &c.kept[next_kept_];
    // One that the index does not know here lies elsewhere as well, or it is damaged: then it is left for repair.
    if (!keep && !writer_ && !std::binary_search(c.dead_at.begin(), c.dead_at.end(), cursor_->offset())) {
      checking_ = true;
      checked_ = 0;
    }
  } else {
    Result<std::span<const uint8_t>> payload = cursor_->payload();
    if (!payload) return payload.error();
    Result<record::Op> op = record::decode(h, *payload);
    if (!op) return op.error();
    bool first = keywords_.first_with(live_, *op);
    keep = live_.needs(*op) || first;
    if (keep && writer_) {
      Result<uint64_t> at = writer_->add(h, *payload);
      if (!at) return at.error();
    }
  }
  bool filler = h.kind == FrameKind::checkpoint && h.lsn == c.last;  // it would only be written again
  if (!keep && !filler) dead_bytes_ += frame_header_size + h.length;
  if (!writer_) return {};
  if (body != nullptr) {
    Result<uint64_t> at = writer_->begin(h);
    if (!at) return at.error();
    moved_.push_back({*body, *at});
    in_body_ = true;
    return {};  // its batch ends with it, if at all
  }
  bool last = at_ + 1 == run_count_ && h.lsn == c.last;
  if (!keep && last) {
    if (Result<void> r = writer_->add_filler(h); !r) return r.error();
  }
  if (h.flags & last_of_batch) {
    if (Result<void> r = writer_->end_batch(); !r) return r.error();
  }
  return {};
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
  if (impl_.files().names().size() < 2 || !impl_.begin_rewriting()) return none;
  return std::unique_ptr<Rewrite>(new Rewrite(std::make_unique<Rewrite::Impl>(impl_, options)));
}

}  // namespace storage
