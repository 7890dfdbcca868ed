// Writing through: upstream first; on its OK the log, then the client's OK; a refusal changes nothing (design 7).

#include <openssl/sha.h>

#include "gateway/source/listing_sink.h"
#include "gateway/source/upstream_authority.h"

namespace gateway::source {

using storage::Errc;
using storage::Failure;
using storage::MailboxInfo;
using wire::base::MailboxKey;
using wire::imap::SequenceSet;
using wire::imap::cmd::Fetch;

namespace {

UidSet present(const storage::MailboxSnapshot& now, const UidSet& uids) {
  UidSet out;
  for (const auto& range : uids.ranges()) {
    for (uint32_t i = now.lower_bound(range.first); i < now.size() && now.uid(i) <= range.last; ++i)
      out.add(now.uid(i));
  }
  return out;
}

std::vector<Uid> in_order(const wire::imap::UidList& list) {
  std::vector<Uid> out;
  for (const auto& r : list.ranges) {
    for (uint32_t v = r.first.value;; ++v) {
      out.push_back(Uid(v));
      if (v == r.last.value) break;
    }
  }
  return out;
}

class PreparedReader final : public imapc::BodyReader {
 public:
  explicit PreparedReader(const storage::PreparedBody& body) : body_(body) {}
  Result<size_t> read(std::span<char> into) override {
    std::span<uint8_t> out(reinterpret_cast<uint8_t*>(into.data()), into.size());
    auto n = body_.read(offset_, out);
    if (n) offset_ += *n;
    return n;
  }

 private:
  const storage::PreparedBody& body_;
  uint64_t offset_ = 0;
};

}  // namespace

awaitable<Result<StoreOutcome>> UpstreamAuthority::store(MailboxPtr box, UidSet uids, FlagChange change,
                                                         std::optional<ModSeq> unchanged_since) {
  const MailboxInfo info = box->info();
  MailboxLock lock = co_await lock_mailbox(info.key);
  auto lease = co_await selected(info, true);
  if (!lease) co_return lease.error();
  StoreOutcome out;
  storage::MailboxSnapshotPtr before = copy_.store().snapshot(info.key);
  if (!before) co_return Failure(Errc::not_found, "no such mailbox");
  const bool mirror = before->info().mode == storage::ModSeqMode::mirror;
  UidSet asked_for = present(*before, uids);
  if (unchanged_since && !mirror) {
    // The numbers are ours: the source cannot judge them.
    UidSet passed;
    asked_for.for_each([&](Uid uid) {
      const bool stale = before->modseq(*before->find(uid)) > *unchanged_since;
      (stale ? out.modified : passed).add(uid);
    });
    asked_for = std::move(passed);
  }
  if (asked_for.empty()) co_return out;

  wire::imap::cmd::Store request;
  request.uid = true;
  request.set = SequenceSet::of(asked_for);
  request.mode = change.mode;
  request.flags.flags = change.flags;
  if (mirror) request.unchanged_since = unchanged_since;
  auto ticket = std::make_unique<ApplyQueue::Ticket>(queue_, info.key, asked_for);
  auto storing = (*lease)->uid_store(request);
  auto stored = co_await storing.get();
  if (!stored) co_return stored.error();
  out.modified.add(stored->modified.resolve(Uid(UINT32_MAX)));
  // The copy takes what the source returned, never what the client asked for; what it did not return is asked.
  ApplyQueue::Observation asked(queue_, *ticket);
  Importer in(copy_, asked, info.key, mirror, authoritative_);
  for (const imapc::FlagChange& c : stored->changed) {
    if (!c.uid || !c.flags) continue;
    Listed m;
    m.uid = c.uid;
    m.flags = c.flags->flags;
    if (c.modseq) m.modseq = c.modseq;
    if (auto ok = in.add(std::move(m)); !ok) co_return ok.error();
  }
  UidSet silent;
  asked_for.for_each([&](Uid uid) {
    if (!in.seen().contains(uid) && !out.modified.contains(uid)) silent.add(uid);
  });
  if (!silent.empty()) {
    FlagSink rest;
    auto asking = (*lease)->uid_fetch(flag_listing(**lease, SequenceSet::of(silent)), rest);
    if (auto ok = co_await asking.get(); !ok) co_return ok.error();
    for (Listed& m : rest.messages) {
      if (auto ok = in.add(std::move(m)); !ok) co_return ok.error();
    }
  }
  if (auto ok = in.flush(); !ok) co_return ok.error();
  if (mirror) {
    // HIGHESTMODSEQ may rise only with everything below it: others' changes come with the same delta.
    Options options;
    options.writable = true;
    options.behind = ticket.get();
    auto there = still_there(info.key);
    if (!there) co_return there.error();
    auto climbed = co_await climb(*lease, (*there)->info(), options);
    if (!climbed) co_return climbed.error();
  }
  if (auto ok = co_await copy_.durable(copy_.store().appended()); !ok) co_return ok.error();
  asked_for.for_each([&](Uid uid) {
    if (!out.modified.contains(uid)) out.stored.add(uid);
  });
  co_return out;
}

// Which of the doomed are gone now: the expunge was the first observation, this listing is the second.
awaitable<Result<UidSet>> UpstreamAuthority::gone_after(UpstreamLink::Lease& lease, MailboxInfo info, UidSet doomed,
                                                        const ApplyQueue::Ticket& ticket) {
  FlagSink still;
  auto asking = lease->uid_fetch(flag_listing(*lease, SequenceSet::of(doomed)), still);
  if (auto ok = co_await asking.get(); !ok) co_return ok.error();
  UidSet gone;
  doomed.for_each([&](Uid uid) {
    if (!still.uids.contains(uid)) gone.add(uid);
  });
  auto before = still_there(info.key);
  if (!before) co_return before.error();
  const bool mirror = (*before)->info().mode == storage::ModSeqMode::mirror;
  Options options;
  options.writable = true;
  options.behind = &ticket;
  const bool quick = lease->enabled().has("QRESYNC") && offers(*lease, "QRESYNC");
  if (mirror && quick) {
    // The delta names them with the source's own HIGHESTMODSEQ.
    auto climbed = co_await climb(lease, (*before)->info(), options);
    if (!climbed) co_return climbed.error();
  }
  ApplyQueue::Observation asked(queue_, ticket);
  Importer in(copy_, asked, info.key, mirror, authoritative_);
  auto there = still_there(info.key);
  if (!there) co_return there.error();
  if (auto ok = in.expunge(gone, (*there)->info().highest_modseq); !ok) co_return ok.error();
  if (mirror && !quick) {
    auto climbed = co_await climb(lease, (*there)->info(), options);
    if (!climbed) co_return climbed.error();
  }
  if (auto ok = co_await copy_.durable(copy_.store().appended()); !ok) co_return ok.error();
  co_return gone;
}

awaitable<Result<UidSet>> UpstreamAuthority::expunge(MailboxPtr box, std::optional<UidSet> only) {
  const MailboxInfo info = box->info();
  MailboxLock lock = co_await lock_mailbox(info.key);
  storage::MailboxSnapshotPtr before = copy_.store().snapshot(info.key);
  if (!before) co_return Failure(Errc::not_found, "no such mailbox");
  UidSet doomed, others;
  for (uint32_t i = 0; i < before->size(); ++i) {
    if ((before->system_flags(i) & wire::base::deleted) == 0) continue;
    (!only || only->contains(before->uid(i)) ? doomed : others).add(before->uid(i));
  }
  if (doomed.empty()) co_return doomed;
  auto lease = co_await selected(info, true);
  if (!lease) co_return lease.error();
  ApplyQueue::Ticket ticket(queue_, info.key, doomed);
  if ((*lease)->capabilities().has("UIDPLUS")) {
    auto call = (*lease)->uid_expunge(doomed);
    if (auto done = co_await call.get(); !done) co_return done.error();
    co_return co_await gone_after(*lease, info, std::move(doomed), ticket);
  }
  // A plain EXPUNGE takes everything with \Deleted: what must stay is unmarked for its duration.
  wire::imap::cmd::Store mark;
  mark.uid = true;
  mark.silent = true;
  mark.set = SequenceSet::of(others);
  mark.flags.flags.system = wire::base::deleted;
  if (!others.empty()) {
    mark.mode = wire::base::FlagsMode::remove;
    auto unmark = (*lease)->uid_store(mark);
    if (auto ok = co_await unmark.get(); !ok) co_return ok.error();
  }
  auto call = (*lease)->expunge();
  auto done = co_await call.get();
  if (!others.empty()) {
    mark.mode = wire::base::FlagsMode::add;
    auto remark = (*lease)->uid_store(mark);
    if (auto ok = co_await remark.get(); !ok) co_return ok.error();
  }
  if (!done) co_return done.error();
  co_return co_await gone_after(*lease, info, std::move(doomed), ticket);
}

awaitable<Result<CopyOutcome>> UpstreamAuthority::copy(MailboxPtr from, UidSet uids, std::string to, bool move) {
  const MailboxInfo info = from->info();
  CopyOutcome out;
  std::vector<Uid> source, target;
  if (auto known = co_await known_mailbox(to); !known) co_return known.error();
  {
    MailboxLock lock = co_await lock_mailbox(info.key);
    storage::MailboxSnapshotPtr before = copy_.store().snapshot(info.key);
    if (!before) co_return Failure(Errc::not_found, "no such mailbox");
    UidSet wanted = present(*before, uids);
    if (wanted.empty()) co_return out;
    auto lease = co_await selected(info, move);
    if (!lease) co_return lease.error();
    ApplyQueue::Ticket ticket(queue_, info.key, move ? wanted : UidSet());
    const bool real_move = move && (*lease)->capabilities().has("MOVE");
    auto call = real_move ? (*lease)->uid_move(wanted, to) : (*lease)->uid_copy(wanted, to);
    auto copied = co_await call.get();
    if (!copied) co_return copied.error();
    out.uid_validity = copied->uid_validity;
    source = in_order(copied->source);
    target = in_order(copied->uids);
    if (move && !real_move) {
      // RFC 6851 without MOVE: COPY, mark, expunge exactly these.
      if (!(*lease)->capabilities().has("UIDPLUS")) {
        co_return Failure(Errc::unsupported,
                          "the source can neither MOVE nor expunge single messages; they were copied");
      }
      wire::imap::cmd::Store mark;
      mark.uid = true;
      mark.silent = true;
      mark.set = SequenceSet::of(wanted);
      mark.mode = wire::base::FlagsMode::add;
      mark.flags.flags.system = wire::base::deleted;
      auto marking = (*lease)->uid_store(mark);
      auto expunging = (*lease)->uid_expunge(wanted);
      if (auto ok = co_await marking.get(); !ok) co_return ok.error();
      if (auto ok = co_await expunging.get(); !ok) co_return ok.error();
    }
    if (move) {
      auto gone = co_await gone_after(*lease, info, std::move(wanted), ticket);
      if (!gone) co_return gone.error();
    }
  }
  // The source has done it: whatever fails from here on, the client must not be made to do it again.
  auto key = co_await refresh(to, false);
  if (!key) co_return CopyOutcome();
  // COPYUID says whose content the new messages have: it need not be fetched again.
  storage::MailboxSnapshotPtr there = copy_.store().snapshot(*key);
  if (!there) co_return CopyOutcome();
  const storage::MailboxSnapshotPtr here = from->current();
  storage::Batch batch = copy_.store().begin();
  const bool paired = source.size() == target.size() && out.uid_validity == there->info().uid_validity;
  for (size_t i = 0; paired && i < source.size(); ++i) {
    out.from.push_back(source[i]);
    out.to.push_back(target[i]);
    const auto a = here->find(source[i]);
    const auto b = there->find(target[i]);
    if (!a || !b || there->message(*b).body) continue;
    const auto& body = here->message(*a).body;
    if (body && copy_.store().has_body(*body)) (void)batch.attach_body(*key, target[i], *body);
  }
  if (!batch.empty() && authoritative_) (void)co_await copy_.commit(std::move(batch));
  co_return out;
}

// The lowest message from `from` on that no other APPEND of ours has claimed and whose bytes are these (design 7).
awaitable<Result<std::optional<AppendOutcome>>> UpstreamAuthority::find_appended(std::string name, Uid from,
                                                                                 storage::Sha256 content,
                                                                                 uint64_t size) {
  auto key = co_await refresh(name, false);
  if (!key) co_return key.error();
  auto box = co_await copy_.open(*key);
  if (!box) co_return box.error();
  UidSet candidates;
  {
    storage::MailboxSnapshotPtr now = copy_.store().snapshot(*key);
    if (!now) co_return Failure(Errc::not_found, "the mailbox is not there any more");
    for (uint32_t i = now->lower_bound(from); i < now->size(); ++i) {
      if (now->message(i).size == size && !claimed_.contains({*key, now->uid(i)})) candidates.add(now->uid(i));
    }
  }
  if (!candidates.empty()) {
    auto content_there = co_await ensure_content(*box, candidates);
    if (!content_there) co_return content_there.error();
    storage::MailboxSnapshotPtr now = copy_.store().snapshot(*key);
    if (!now) co_return Failure(Errc::not_found, "the mailbox is not there any more");
    for (uint32_t i = now->lower_bound(from); i < now->size(); ++i) {
      const Uid uid = now->uid(i);
      if (!candidates.contains(uid) || now->message(i).body != content) continue;
      claimed_.insert({*key, uid});
      co_return std::optional<AppendOutcome>(AppendOutcome{now->info().uid_validity, uid});
    }
  }
  co_return std::optional<AppendOutcome>();
}

awaitable<Result<AppendOutcome>> UpstreamAuthority::append(std::string name, AppendItem item) {
  auto info = co_await known_mailbox(name);
  if (!info) co_return info.error();
  const storage::Sha256 content = item.body.name();
  const uint64_t size = item.body.size();
  // Where the new message can be, should the answer get lost.
  if (auto fresh = co_await refresh(name, false); !fresh) co_return fresh.error();
  auto there = still_there(info->key);
  if (!there) co_return there.error();
  const Uid from = (*there)->info().uid_next;
  for (int attempt = 0; attempt < 2; ++attempt) {
    Result<imapc::Appended> done = imapc::Appended();
    {
      auto lease = co_await link_.any();
      if (!lease) co_return lease.error();
      PreparedReader reader(item.body);
      imapc::AppendRequest request;
      request.mailbox = name;
      request.flags.flags = item.flags;
      request.date = item.date;
      request.size = size;
      request.body = &reader;
      auto call = (*lease)->append(request);
      done = co_await call.get();
      const UpstreamLink::Line& line = lease->line();
      if (!done && done.error().code == Errc::refused && line.selected == name && !line.writable) {
        // Courier 5.0: "NO Current box is selected READ-ONLY.", where others append whatever is open.
        wire::imap::cmd::Select open_for_writing;
        Selecting selecting = start_select(*lease, name, open_for_writing);
        auto now = co_await finish_select(*lease, name, selecting);
        if (!now) co_return now.error();
        PreparedReader from_the_start(item.body);
        request.body = &from_the_start;
        auto again = (*lease)->append(request);
        done = co_await again.get();
      }
    }
    if (done) {
      if (done->uid) {
        claimed_.insert({info->key, done->uid});
        // The source has it: a copy that cannot be brought up to date now must not make the client append again. Then
        // the UID is not told, since it could not be shown.
        if (auto seen = co_await refresh(name, false); !seen) co_return AppendOutcome();
        co_return AppendOutcome{done->uid_validity, done->uid};
      }
      auto found = co_await find_appended(name, from, content, size);
      if (found && *found) co_return **found;
      co_return AppendOutcome();  // it is there; the source changes bytes and tells no UID
    }
    if (!is_broken(done.error())) co_return done.error();
    // The connection went away with the answer: look, wait, look again, repeat once.
    auto found = co_await find_appended(name, from, content, size);
    if (found && *found) co_return **found;
    asio::steady_timer pause(core_, std::chrono::seconds(2));
    co_await pause.async_wait(asio::use_awaitable);
    found = co_await find_appended(name, from, content, size);
    if (found && *found) co_return **found;
    if (!found) co_return Failure(Errc::unavailable, "the old server went away during the APPEND; try again");
  }
  co_return Failure(Errc::unavailable, "the old server went away twice during the APPEND; try again");
}

}  // namespace gateway::source
