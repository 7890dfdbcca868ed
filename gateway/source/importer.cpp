#include "gateway/source/importer.h"

#include "wire/base/fault_point.h"

namespace gateway::source {

using storage::Batch;
using storage::Errc;
using storage::Failure;

namespace {

// A batch is one write(2) and one unit of replay: large enough to make both cheap, small enough for memory.
constexpr uint64_t batch_bytes = 2 << 20;
constexpr uint64_t bytes_beside_body = 200;

}  // namespace

Importer::Importer(Copy& copy, const ApplyQueue::Observation& asked, wire::base::MailboxKey key, bool mirror,
                   const bool& allowed)
    : copy_(copy), asked_(asked), key_(key), mirror_(mirror), allowed_(allowed) {}

Result<void> Importer::apply(Batch batch) {
  if (!allowed_) return Failure(Errc::conflict, "the account has another owner now; what the source said is void");
  if (auto lsn = copy_.apply(std::move(batch)); !lsn) return lsn.error();
  return {};
}

Result<void> Importer::add(Listed message) {
  seen_.add(message.uid);
  // Spooled bodies are on disk already: they weigh nothing here.
  const uint64_t weight = message.body ? std::min<uint64_t>(message.body->size(), batch_bytes) : 0;
  pending_bytes_ += weight + bytes_beside_body;
  pending_.push_back(std::move(message));
  if (pending_bytes_ < batch_bytes) return {};
  return flush();
}

Result<void> Importer::put(Batch& batch, const storage::MailboxSnapshot& now, Listed& m) {
  const std::optional<uint32_t> known = now.find(m.uid);
  std::optional<storage::Sha256> body;
  const uint64_t body_size = m.body ? m.body->size() : 0;
  if (m.body) {
    auto name = batch.add_body(std::move(*m.body));
    if (!name) return name.error();
    body = *name;
    ++counts_.bodies;
    counts_.bytes += body_size;
  }
  if (!known) {
    if (!m.flags || !m.date || !m.size) {
      need_listing_.add(m.uid);
      return {};
    }
    storage::NewMessage fresh;
    fresh.uid = m.uid;
    if (mirror_) fresh.modseq = m.modseq;
    fresh.flags = std::move(*m.flags);
    fresh.info.date = *m.date;
    fresh.info.size = *m.size;
    fresh.info.body = body;
    fresh.info.save_date = m.save_date;
    fresh.info.email_id = std::move(m.email_id);
    fresh.info.thread_id = std::move(m.thread_id);
    auto added = batch.add_message(key_, fresh);
    if (!added) {
      refused_.push_back({m.uid, added.error()});
    } else {
      ++counts_.added;
    }
    return {};
  }
  if (body && now.message(*known).body != body) {
    if (auto ok = batch.attach_body(key_, m.uid, *body); !ok) return ok.error();
  }
  if (!m.flags) return {};
  if (asked_.untouchable(key_, m.uid)) {
    ask_again_.add(m.uid);
    return {};
  }
  // Flags apply only with a MODSEQ that is not below the one held (design 7).
  if (mirror_ && m.modseq && *m.modseq < now.modseq(*known)) return {};
  const bool same_number = !mirror_ || !m.modseq || *m.modseq == now.modseq(*known);
  if (same_number && now.flags(*known) == *m.flags) return {};
  FlagChange change;
  change.mode = wire::base::FlagsMode::replace;
  change.flags = std::move(*m.flags);
  std::optional<ModSeq> modseq;
  if (mirror_) modseq = m.modseq;
  auto changed = batch.change_flags(key_, UidSet(m.uid), change, modseq);
  if (!changed) return changed.error();
  ++counts_.changed;
  return {};
}

Result<void> Importer::flush() {
  if (pending_.empty()) return {};
  MailboxSnapshotPtr now = copy_.store().snapshot(key_);
  if (!now) return Failure(Errc::not_found, "the mailbox went away while it was being read");
  Batch batch = copy_.store().begin();
  for (Listed& m : pending_) {
    if (auto ok = put(batch, *now, m); !ok) return ok.error();
  }
  pending_.clear();
  pending_bytes_ = 0;
  if (batch.empty()) return {};
  return apply(std::move(batch));
}

Result<void> Importer::expunge(const UidSet& uids, std::optional<ModSeq> modseq) {
  if (auto ok = flush(); !ok) return ok;
  const UidSet busy = asked_.untouchable(key_);
  UidSet gone;
  MailboxSnapshotPtr now = copy_.store().snapshot(key_);
  if (!now) return Failure(Errc::not_found, "the mailbox went away while it was being read");
  for (const auto& range : uids.ranges()) {
    for (uint32_t i = now->lower_bound(range.first); i < now->size() && now->uid(i) <= range.last; ++i) {
      (busy.contains(now->uid(i)) ? ask_again_ : gone).add(now->uid(i));
    }
  }
  if (gone.empty()) return {};
  Batch batch = copy_.store().begin();
  std::optional<ModSeq> number;
  if (mirror_) number = modseq;
  auto went = batch.expunge(key_, gone, number);
  if (!went) return went.error();
  counts_.expunged += went->count();
  return apply(std::move(batch));
}

Result<void> Importer::finish(const storage::SyncCursor& cursor) {
  if (auto ok = flush(); !ok) return ok;
  const auto held = copy_.store().cursor(key_);
  MailboxSnapshotPtr now = copy_.store().snapshot(key_);
  if (!now) return Failure(Errc::not_found, "the mailbox went away while it was being read");
  Batch batch = copy_.store().begin();
  storage::MailboxChange change;
  if (cursor.uid_next > now->info().uid_next) change.uid_next = cursor.uid_next;
  if (mirror_ && cursor.highest_modseq > now->info().highest_modseq) change.highest_modseq = cursor.highest_modseq;
  if (change.uid_next || change.highest_modseq) {
    if (auto ok = batch.change_mailbox(key_, change); !ok) return ok.error();
  }
  if (!held || !(*held == cursor)) batch.set_cursor(key_, cursor);
  if (batch.empty()) return {};
  if (auto ok = apply(std::move(batch)); !ok) return ok;
  wire::base::fault_point("cursor");
  return {};
}

}  // namespace gateway::source
