#include "storage/checkpoint.h"

#include <algorithm>
#include <utility>

#include "storage/account_impl.h"
#include "storage/cold_rescue.h"
#include "storage/snapshot_draft.h"
#include "wire/base/fault_point.h"

namespace storage {
namespace {

constexpr size_t places_a_slice = 4096;  // while they are copied nobody else can look into the index

}  // namespace

// Null: nothing has changed since the last one.
Result<std::unique_ptr<SnapshotDraft>> Account::Impl::draft_snapshot() {
  std::unique_ptr<SnapshotDraft> draft;
  if (options_.read_only) return Failure(Errc::refused, "the store is open for reading only");
  if (drafting_) return Failure(Errc::unavailable, "index.snap is being written");
  LogWriter& log = writer();
  if (rewriting_ && rewriting_->finish) rewriting_->finish();  // places of one generation only
  if (Result<void> r = commit_dictionary(); !r) return r.error();
  if (cold_health_->damaged.exchange(false)) snapshot_failed_ = true;
  if (cold_health_->lost) return Failure(Errc::unavailable, "index.snap and the log are damaged: see doctor");
  if (log.appended() == checkpoint_ && !snapshot_failed_) return draft;
  if (Result<void> r = log.roll_if_full(); !r) return r.error();
  draft = std::make_unique<SnapshotDraft>();
  draft->lsn = log.appended();
  SnapshotHeader& h = draft->header;
  h.format = format_;
  h.account = account_;
  h.lsn = draft->lsn;
  h.tail_segment = log.segment();
  h.tail_salt = log.salt();
  h.tail_offset = log.offset();
  SnapshotDirectory& d = draft->directory;
  d.segments = files_.names();
  d.subscriptions = state_.subscriptions();
  d.annotations = state_.annotations();
  d.validities = state_.validities();
  d.next_key = state_.next_key();
  d.epoch = std::max(state_.epoch(), epoch_);
  d.slots = state_.slots();
  d.dictionaries = bodies_->dictionaries()->all();
  d.small_bodies = small_bodies_;
  if (rewriting_) draft->condemned = rewriting_->condemned;
  bodies_->freeze();
  drafting_ = true;
  return draft;
}

// Those that the log up to the draft's LSN has: what lies behind may be cut off by a crash.
Result<std::vector<BodyPlace>> Account::Impl::places_of(const SnapshotDraft& draft) {
  std::vector<BodyPlace> places;
  BodyIndex::Pass pass;
  for (bool more = true, again = true; more;) {
    Result<bool> next = bodies_->part(pass, places_a_slice, places);
    if (!next && (next.error().code != Errc::unavailable || !std::exchange(again, false))) return next.error();
    if (!next) {
      places.clear();
      pass = {};
    }
    more = !next || *next;
  }
  const SnapshotHeader& h = draft.header;
  std::erase_if(places, [&](const BodyPlace& p) {
    return p.segment > h.tail_segment || (p.segment == h.tail_segment && p.offset >= h.tail_offset);
  });
  // A pass that is under way may still be taken back: then they are as good as ever. If it is not, its segment makes
  // this index.snap void.
  places.insert(places.end(), draft.condemned.begin(), draft.condemned.end());
  auto by_name = [](const BodyPlace& a, const BodyPlace& b) { return a.name < b.name; };
  std::stable_sort(places.begin(), places.end(), by_name);
  auto same = [](const BodyPlace& a, const BodyPlace& b) { return a.name == b.name; };
  places.erase(std::unique(places.begin(), places.end(), same), places.end());
  return places;
}

Result<void> Account::Impl::name_draft(SnapshotDraft& draft) {
  if (cold_health_->lost) return Failure(Errc::unavailable, "index.snap and the log are damaged: see doctor");
  wire::base::fault_point("snapshot-rename");
  if (Result<void> r = env_.rename(snapshot_temporary(), snapshot_path()); !r) return r;
  for (const auto& [key, slot] : draft.directory.slots) state_.moved(key, slot.section);
  {
    std::lock_guard lock(snapshot_file_mutex_);
    snapshot_file_.reset();
    if (draft.file) snapshot_file_ = draft.file->file;
  }
  const bool in_force = files_.names() == draft.directory.segments;
  if (in_force && !rewriting_) bodies_->rebase(body_loader(draft.directory.finder));
  for (const ColdPiece& p : draft.moved) p.chunk->cold->moved({draft.file, p.offset, p.length, p.crc});
  cold_file_ = draft.file;
  if (in_force) snapshot_lsn_ = draft.lsn;
  if (!draft.closing) release_what_it_has(draft);
  return {};
}

// What the new index.snap has need not be in memory. Mailboxes that nobody looks at are as they were before anybody
// did; of the others, messages that came since are told apart from those of index.snap no more. Whoever holds a
// snapshot keeps what it is made of.
void Account::Impl::release_what_it_has(const SnapshotDraft& draft) {
  state_.set_loader(mailbox_loader());  // a store that was just made has none
  for (const auto& [key, slot] : draft.directory.slots) {
    auto cached = snapshots_.find(key);
    const bool shown = cached != snapshots_.end() && cached->second.snapshot.use_count() > 1;
    if (!shown && state_.unload(key, slot.mailbox)) {
      snapshots_.erase(key);
    } else if (auto packed = draft.packed.find(key); packed != draft.packed.end()) {
      state_.replace(key, packed->second);
    }
  }
  rescued_.reset();
}

Result<void> Account::Impl::end_draft(const SnapshotDraft& draft) {
  LogWriter& log = writer();
  const bool latest = log.appended() == draft.lsn && files_.names() == draft.directory.segments;
  Batch::Impl batch(*this);
  if (Result<void> r = batch.put(record::Checkpoint{draft.lsn}); !r) return r;
  if (Result<Lsn> r = commit(batch); !r) return r.error();
  snapshot_failed_ = false;
  if (latest) checkpoint_ = log.appended();
  return {};
}

Result<void> Account::Impl::checkpoint(bool closing) {
  Result<std::unique_ptr<SnapshotDraft>> drafted = draft_snapshot();
  if (!drafted) return drafted.error();
  if (!*drafted) return {};
  SnapshotDraft& draft = **drafted;
  draft.closing = closing;
  Result<void> r = write_draft(draft, [this](MailboxKey key) { return state_.mailbox(key); });
  if (r) r = name_draft(draft);
  if (r) r = env_.sync_directory(directory_);
  if (r) r = end_draft(draft);
  end_drafting();
  return r;
}

Checkpoint::Checkpoint(Account& account, std::unique_ptr<SnapshotDraft> draft)
    : account_(account), draft_(std::move(draft)) {}
Checkpoint::~Checkpoint() { account_.impl_->end_drafting(); }

Result<std::unique_ptr<Checkpoint>> Checkpoint::begin(Account& account) {
  std::unique_ptr<Checkpoint> none;
  Account::Impl& impl = *account.impl_;
  if (impl.options().read_only || impl.writer().failed()) return none;
  Result<std::unique_ptr<SnapshotDraft>> draft = impl.draft_snapshot();
  if (!draft) return draft.error();
  if (!*draft) return none;
  return std::unique_ptr<Checkpoint>(new Checkpoint(account, std::move(*draft)));
}

Result<void> Checkpoint::write() {
  // What was not read until now is copied from the old index.snap; nothing else may look at the state from here.
  return account_.impl_->write_draft(*draft_, [](MailboxKey) { return nullptr; });
}

Result<void> Checkpoint::name() { return account_.impl_->name_draft(*draft_); }
Result<void> Checkpoint::settle() { return account_.impl_->env().sync_directory(account_.directory()); }
Result<void> Checkpoint::end() { return account_.impl_->end_draft(*draft_); }

}  // namespace storage
