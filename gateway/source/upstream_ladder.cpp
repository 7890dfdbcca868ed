// How a mailbox of the copy is brought up to date from its source, best rung first (design 1, Ladder).

#include "gateway/source/listing_sink.h"
#include "gateway/source/upstream_authority.h"
#include "wire/base/fault_point.h"

namespace gateway::source {

using storage::Errc;
using storage::Failure;
using storage::MailboxInfo;
using storage::SyncCursor;
using wire::base::MailboxKey;
using wire::imap::SequenceSet;
using wire::imap::StatusItems;
using wire::imap::cmd::Fetch;

namespace {

SequenceSet everything() {
  SequenceSet all;
  all.ranges.push_back({1, 0});
  return all;
}

}  // namespace

Fetch UpstreamAuthority::flag_listing(const imapc::Connection& c, SequenceSet set) const {
  Fetch f;
  f.uid = true;
  f.set = std::move(set);
  f.items = Fetch::uid_item | Fetch::flags;
  if (has_numbers(c)) f.items |= Fetch::modseq;
  return f;
}

Fetch UpstreamAuthority::full_listing(const imapc::Connection& c, SequenceSet set, bool bodies) const {
  Fetch f = flag_listing(c, std::move(set));
  f.items |= Fetch::internal_date | Fetch::rfc822_size;
  if (c.capabilities().has("SAVEDATE")) f.items |= Fetch::save_date;
  if (c.capabilities().has("OBJECTID")) f.items |= Fetch::email_id | Fetch::thread_id;
  if (bodies) {
    Fetch::Part whole;
    whole.peek = true;
    f.parts.push_back(whole);
  }
  return f;
}

// Sent at once; finish_select() awaits the replies.
UpstreamAuthority::Selecting UpstreamAuthority::start_select(UpstreamLink::Lease& lease, const std::string& name,
                                                             wire::imap::cmd::Select request) {
  std::optional<imapc::Call<imapc::StatusData>> status;
  if (!select_tells_uid_next_) {
    StatusItems items;
    items.bits = StatusItems::uid_next;
    status.emplace(lease->status(name, items));
  }
  request.mailbox.octets = name;
  lease.line().selected.clear();
  const bool examine = request.examine;
  return Selecting(std::move(status), lease->select(std::move(request)), examine);
}

awaitable<Result<imapc::Selected>> UpstreamAuthority::finish_select(UpstreamLink::Lease& lease, std::string name,
                                                                    Selecting& selecting) {
  if (selecting.status) {
    auto told = co_await selecting.status->get();
    if (told && told->uid_next) selecting.uid_next = *told->uid_next;
  }
  auto now = co_await selecting.select.get();
  if (!now) co_return now.error();
  lease.line().selected = name;
  lease.line().writable = !selecting.examine && !now->read_only;
  if (auto ok = note_mailbox_id(name, *now); !ok) co_return ok.error();
  if (now->uid_next) co_return now;
  if (!selecting.uid_next) {
    select_tells_uid_next_ = false;  // Courier tells it only in STATUS
    StatusItems items;
    items.bits = StatusItems::uid_next;
    auto call = lease->status(name, items);
    auto told = co_await call.get();
    if (told && told->uid_next) selecting.uid_next = *told->uid_next;
  }
  now->uid_next = selecting.uid_next;
  co_return now;
}

Result<void> UpstreamAuthority::note_mailbox_id(const std::string& name, const imapc::Selected& now) {
  const auto tree = copy_.store().tree();
  const MailboxInfo* info = tree->find(name);
  const bool ours = info && info->uid_validity == now.uid_validity;
  if (!authoritative_ || !ours || now.mailbox_id.empty() || info->mailbox_id == now.mailbox_id) return {};
  storage::MailboxChange change;
  change.mailbox_id = now.mailbox_id;
  storage::Batch batch = copy_.store().begin();
  if (auto ok = batch.change_mailbox(info->key, change); !ok) return ok.error();
  if (auto lsn = copy_.apply(std::move(batch)); !lsn) return lsn.error();
  return {};
}

// Whether the mailbox is the one we know. A UIDVALIDITY that differs is asked a second time before it is believed:
// Courier invents one for an EXAMINE of a mailbox that was never SELECTed, and another one for the next.
awaitable<Result<bool>> UpstreamAuthority::same_identity(UpstreamLink::Lease& lease, MailboxInfo info,
                                                         imapc::Selected& now) {
  if (now.uid_validity == info.uid_validity) co_return true;
  for (int i = 0; i < 2; ++i) {
    wire::imap::cmd::Select again;
    again.examine = examine_keeps_uid_validity_;
    again.condstore = has_numbers(*lease);
    Selecting selecting = start_select(lease, info.name, again);
    auto next = co_await finish_select(lease, info.name, selecting);
    if (!next) co_return next.error();
    const bool stable = next->uid_validity == now.uid_validity;
    now = std::move(*next);
    if (now.uid_validity == info.uid_validity) co_return true;
    if (stable) co_return false;
    examine_keeps_uid_validity_ = false;
  }
  co_return false;
}

Result<void> UpstreamAuthority::adopt(const MailboxInfo& info, const imapc::Selected& now) {
  if (now.uid_validity.value == 0) {
    return Failure(Errc::conflict, "the source shows no UIDVALIDITY for '" + info.name + "': its UIDs cannot be kept");
  }
  auto before = still_there(info.key);
  if (!before) return before.error();
  if (!authoritative_) return Failure(Errc::conflict, "the account has another owner now");
  const bool shown = info.uid_validity.value != 0 && (*before)->size() != 0;
  claimed_.clear();
  if (shown) {
    services_.warn(user_, "the source gave '" + info.name + "' a new UIDVALIDITY: clients will read it again");
  }
  const auto mode = now.highest_modseq ? storage::ModSeqMode::mirror : storage::ModSeqMode::own;
  storage::Batch batch = copy_.store().begin();
  if (auto ok = batch.reset_mailbox(info.key, now.uid_validity, Uid(1), ModSeq(1), mode); !ok) return ok.error();
  if (auto lsn = copy_.apply(std::move(batch)); !lsn) return lsn.error();
  return {};
}

// Messages of the copy that a complete listing did not show are asked for once more, by UID, before they go (design 7:
// by EXPUNGE, VANISHED, or two observations).
awaitable<Result<void>> UpstreamAuthority::expunge_missing(UpstreamLink::Lease& lease, Importer& in, MailboxKey key,
                                                           ModSeq modseq) {
  auto now = still_there(key);
  if (!now) co_return now.error();
  UidSet missing;
  for (uint32_t i = 0; i < (*now)->size(); ++i) {
    if (!in.seen().contains((*now)->uid(i))) missing.add((*now)->uid(i));
  }
  if (missing.empty()) co_return Result<void>();
  FlagSink again;
  auto call = lease->uid_fetch(flag_listing(*lease, SequenceSet::of(missing)), again);
  if (auto ok = co_await call.get(); !ok) co_return ok.error();
  UidSet gone;
  missing.for_each([&](Uid uid) {
    if (!again.uids.contains(uid)) gone.add(uid);
  });
  co_return in.expunge(gone, modseq);
}

awaitable<Result<void>> UpstreamAuthority::list_all(UpstreamLink::Lease& lease, Importer& in, MailboxKey key,
                                                    ModSeq modseq) {
  ListingSink sink(in, nullptr, nullptr);
  auto call = lease->uid_fetch(full_listing(*lease, everything(), false), sink);
  auto done = co_await call.get();
  if (sink.failure()) co_return *sink.failure();
  if (!done) co_return done.error();
  if (auto ok = in.flush(); !ok) co_return ok.error();
  co_return co_await expunge_missing(lease, in, key, modseq);
}

awaitable<Result<UpstreamAuthority::Filled>> UpstreamAuthority::climb(UpstreamLink::Lease& lease, MailboxInfo info,
                                                                      Options options) {
  std::optional<ApplyQueue::Observation> asked;
  if (options.behind) {
    asked.emplace(queue_, *options.behind);
  } else {
    asked.emplace(queue_);
  }
  const auto cursor = copy_.store().cursor(info.key);
  const bool warm = cursor && cursor->complete && cursor->uid_validity == info.uid_validity;
  const bool by_number = warm && has_numbers(*lease) && cursor->highest_modseq;
  const bool quick = by_number && lease->enabled().has("QRESYNC") && offers(*lease, "QRESYNC");

  wire::imap::cmd::Select request;
  request.examine = !options.writable && examine_keeps_uid_validity_;
  if (quick) {
    wire::imap::cmd::Qresync q;
    q.uid_validity = cursor->uid_validity;
    q.modseq = cursor->highest_modseq;
    request.qresync = q;
  } else {
    request.condstore = has_numbers(*lease);
  }
  Selecting selecting = start_select(lease, info.name, request);
  // A source without CONDSTORE is asked for its flags in the same packet: one round trip for a warm mailbox.
  FlagSink collected;
  std::optional<imapc::Call<imapc::Nothing>> listing;
  if (warm && !by_number && cursor->exists != 0) {
    listing.emplace(lease->uid_fetch(flag_listing(*lease, everything()), collected));
  }
  auto now = co_await finish_select(lease, info.name, selecting);
  if (!now) co_return now.error();
  if (listing) {
    if (auto ok = co_await listing->get(); !ok) co_return ok.error();
  }
  const bool first_answer = now->uid_validity == info.uid_validity;
  auto same = co_await same_identity(lease, info, *now);
  if (!same) co_return same.error();
  if (!*same) {
    if (auto ok = adopt(info, *now); !ok) co_return ok.error();
  } else if (!now->highest_modseq && info.mode == storage::ModSeqMode::mirror) {
    storage::MailboxChange change;
    change.mode = storage::ModSeqMode::own;  // NOMODSEQ
    storage::Batch batch = copy_.store().begin();
    if (auto ok = batch.change_mailbox(info.key, change); !ok) co_return ok.error();
    if (auto lsn = copy_.apply(std::move(batch)); !lsn) co_return lsn.error();
  }
  auto there = still_there(info.key);
  if (!there) co_return there.error();
  const bool mirror = (*there)->info().mode == storage::ModSeqMode::mirror;
  Importer in(copy_, *asked, info.key, mirror, authoritative_);
  Result<void> step;
  // An answer that had to be asked for again is no delta: then everything is listed.
  const bool usable = warm && *same && first_answer;
  const bool quick_answered = usable && quick;
  if (quick_answered) {
    bool complete = true;
    for (const imapc::FlagChange& c : now->changed) {
      if (!c.uid || !c.flags) {
        complete = false;
        continue;
      }
      Listed m;
      m.uid = c.uid;
      m.flags = c.flags->flags;
      if (c.modseq) m.modseq = c.modseq;
      if (step = in.add(std::move(m)); !step) co_return step.error();
    }
    if (step = in.flush(); !step) co_return step.error();
    if (step = in.expunge(now->vanished, now->highest_modseq); !step) co_return step.error();
    if (!complete) step = co_await list_all(lease, in, info.key, now->highest_modseq);
  } else if (usable && by_number) {
    Fetch since = flag_listing(*lease, everything());
    since.changed_since = cursor->highest_modseq;
    ListingSink sink(in, nullptr, nullptr);
    auto call = lease->uid_fetch(since, sink);
    auto done = co_await call.get();
    if (sink.failure()) co_return *sink.failure();
    if (!done) co_return done.error();
    step = in.flush();
  } else if (usable) {
    for (Listed& m : collected.messages) {
      if (step = in.add(std::move(m)); !step) co_return step.error();
    }
    if (step = in.flush(); !step) co_return step.error();
    if (now->exists != 0 && cursor->exists == 0) {
      step = co_await list_all(lease, in, info.key, now->highest_modseq);
    } else {
      step = co_await expunge_missing(lease, in, info.key, now->highest_modseq);
    }
  } else {
    step = co_await list_all(lease, in, info.key, now->highest_modseq);
  }
  if (!step) co_return step.error();
  if (!in.need_listing().empty()) {
    ListingSink sink(in, nullptr, nullptr);
    auto call = lease->uid_fetch(full_listing(*lease, SequenceSet::of(in.need_listing()), false), sink);
    auto done = co_await call.get();
    if (sink.failure()) co_return *sink.failure();
    if (!done) co_return done.error();
    if (step = in.flush(); !step) co_return step.error();
  }
  // The count must come out, else a rung has been missed (an expunge that only a listing shows).
  there = still_there(info.key);
  if (!there) co_return there.error();
  if (usable && by_number && (*there)->size() != now->exists) {
    if (step = co_await list_all(lease, in, info.key, now->highest_modseq); !step) co_return step.error();
  }
  for (const auto& r : in.refused()) {
    services_.warn(user_, "'" + info.name + "' uid " + std::to_string(r.uid.value) + ": " + r.why.describe());
  }
  if (step = in.finish(cursor_of(*now)); !step) co_return step.error();
  if (auto ok = co_await copy_.durable(copy_.store().appended()); !ok) co_return ok.error();
  Filled out;
  out.key = info.key;
  out.counts = in.counts();
  co_return out;
}

SyncCursor UpstreamAuthority::cursor_of(const imapc::Selected& now) {
  SyncCursor c;
  c.uid_validity = now.uid_validity;
  c.uid_next = now.uid_next;
  c.highest_modseq = now.highest_modseq;
  c.exists = now.exists;
  c.complete = true;
  return c;
}

awaitable<Result<MailboxInfo>> UpstreamAuthority::known_mailbox(std::string name) {
  for (int i = 0; i < 2; ++i) {
    const auto tree = copy_.store().tree();
    if (const MailboxInfo* info = tree->find(name)) {
      if ((info->attributes & (storage::no_select | storage::non_existent)) == 0) co_return *info;
      if (i == 1) co_return Failure(Errc::not_found, "the mailbox cannot be selected");
    }
    if (i == 0) {
      if (auto ok = co_await refresh_tree(); !ok) co_return ok.error();
    }
  }
  co_return Failure(Errc::not_found, "no such mailbox");
}

awaitable<Result<MailboxKey>> UpstreamAuthority::refresh_once(MailboxInfo info, bool writable) {
  MailboxLock lock = co_await lock_mailbox(info.key);
  auto lease = co_await link_.prefer(info.name, writable);
  if (!lease) co_return lease.error();
  Options options;
  options.writable = writable;
  auto done = co_await climb(*lease, info, options);
  if (!done) co_return done.error();
  co_return done->key;
}

awaitable<Result<MailboxKey>> UpstreamAuthority::refresh(std::string name, bool writable) {
  for (int attempt = 0;; ++attempt) {
    auto info = co_await known_mailbox(name);
    if (!info) co_return info.error();
    auto done = co_await refresh_once(*info, writable);
    if (done || attempt != 0) co_return done;
    if (is_broken(done.error())) continue;
    if (done.error().code != Errc::not_found) co_return done;
    // It went away at the source, or was renamed: the tree tells.
    if (auto ok = co_await refresh_tree(); !ok) co_return ok.error();
    co_return done;
  }
}

}  // namespace gateway::source
