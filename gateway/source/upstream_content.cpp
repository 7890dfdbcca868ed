// Bodies: brought into the copy when somebody wants them, or all of them by a sync.

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

constexpr size_t ranges_a_command = 400;  // keeps a command line far below 8 KB (RFC 7162 4)
constexpr size_t singles_at_most = 1000;  // messages asked one by one after a refusal
constexpr uint32_t first_window = 2000;   // UIDs of one page of a first sync
constexpr uint32_t sparse_page = 200;     // fewer messages than that in a page: take a wider one

Fetch body_fetch(SequenceSet set) {
  Fetch f;
  f.uid = true;
  f.set = std::move(set);
  f.items = Fetch::uid_item | Fetch::rfc822_size;
  Fetch::Part whole;
  whole.peek = true;
  f.parts.push_back(whole);
  return f;
}

UidSet without_body(const storage::MailboxSnapshot& now, const storage::Account& store) {
  UidSet out;
  for (uint32_t i = 0; i < now.size(); ++i) {
    const auto& body = now.message(i).body;
    if (!body || !store.has_body(*body)) out.add(now.uid(i));
  }
  return out;
}

}  // namespace

awaitable<Result<std::vector<ContentOutcome::Failed>>> UpstreamAuthority::fetch_bodies(UpstreamLink::Lease& lease,
                                                                                       Importer& in, UidSet uids,
                                                                                       OnCounts on_counts) {
  storage::BodyWriter writer = copy_.store().new_body();
  std::vector<ContentOutcome::Failed> failed;
  UidSet unanswered;
  size_t at = 0;
  const auto& ranges = uids.ranges();
  while (at < ranges.size()) {
    UidSet page;
    for (size_t n = 0; n < ranges_a_command && at < ranges.size(); ++n, ++at)
      page.add(ranges[at].first, ranges[at].last);
    ListingSink sink(in, &writer, on_counts);
    auto call = lease->uid_fetch(body_fetch(SequenceSet::of(page)), sink);
    auto done = co_await call.get();
    if (sink.failure()) co_return *sink.failure();
    if (!done && is_broken(done.error())) co_return done.error();
    if (auto ok = in.flush(); !ok) co_return ok.error();
    page.for_each([&](Uid uid) {
      if (!sink.with_body().contains(uid)) unanswered.add(uid);
    });
  }
  // One unreadable message is one message's problem: the rest of its page is asked one by one.
  size_t singles = 0;
  for (const auto& range : unanswered.ranges()) {
    for (Uid uid = range.first; uid <= range.last; uid = uid.next()) {
      if (++singles > singles_at_most) {
        failed.push_back({uid, Failure(Errc::unavailable, "the source refuses too many messages of this mailbox")});
        continue;
      }
      ListingSink sink(in, &writer, on_counts);
      auto call = lease->uid_fetch(body_fetch(SequenceSet::of(UidSet(uid))), sink);
      auto done = co_await call.get();
      if (sink.failure()) co_return *sink.failure();
      if (!done && is_broken(done.error())) co_return done.error();
      if (auto ok = in.flush(); !ok) co_return ok.error();
      if (sink.with_body().contains(uid)) continue;
      if (!done) {
        failed.push_back({uid, done.error()});
      } else {
        failed.push_back({uid, Failure(Errc::not_found, "the source lists the message but sends no content for it")});
      }
    }
  }
  co_return failed;
}

// A connection that has the mailbox of that name selected, and it is the one that the copy knows.
awaitable<Result<UpstreamLink::Lease>> UpstreamAuthority::selected(MailboxInfo info, bool writable,
                                                                   UpstreamLink::Use use) {
  auto lease = co_await link_.prefer(info.name, writable, use);
  if (!lease) co_return lease.error();
  UpstreamLink::Line& line = lease->line();
  if (line.selected == info.name && (line.writable || !writable)) co_return std::move(*lease);
  wire::imap::cmd::Select request;
  request.examine = !writable && examine_keeps_uid_validity_;
  Selecting selecting = start_select(*lease, info.name, request);
  auto now = co_await finish_select(*lease, info.name, selecting);
  if (!now) co_return now.error();
  if (now->uid_validity != info.uid_validity) {
    line.selected.clear();
    co_return Failure(Errc::conflict, "the source has another mailbox under the name '" + info.name + "' now");
  }
  if (writable && !line.writable) co_return Failure(Errc::refused, "the source opens the mailbox read-only");
  co_return std::move(*lease);
}

// Ends also when the session that fetches is cancelled.
class UpstreamAuthority::ContentClaim {
 public:
  ContentClaim(UpstreamAuthority& owner, MailboxKey key) : owner_(owner), key_(key) {
    owner_.content_busy_.insert(key);
  }
  ~ContentClaim() {
    owner_.content_busy_.erase(key_);
    owner_.content_done_.notify_all();
  }
  ContentClaim(const ContentClaim&) = delete;
  ContentClaim& operator=(const ContentClaim&) = delete;

 private:
  UpstreamAuthority& owner_;
  MailboxKey key_;
};

awaitable<Result<ContentOutcome>> UpstreamAuthority::ensure_content(MailboxPtr box, UidSet uids) {
  ContentOutcome out;
  const MailboxKey key = box->key();
  for (int attempt = 0;; ++attempt) {
    // Two sessions that want the same body: the second finds it in the copy.
    auto is_free = [this, key] { return !content_busy_.contains(key); };
    co_await content_done_.wait_for(is_free);
    storage::MailboxSnapshotPtr now = copy_.store().snapshot(key);
    if (!now) co_return out;
    UidSet wanted;
    const storage::Account& store = copy_.store();
    for (const auto& range : uids.ranges()) {
      for (uint32_t i = now->lower_bound(range.first); i < now->size() && now->uid(i) <= range.last; ++i) {
        const auto& body = now->message(i).body;
        if (!body || !store.has_body(*body)) wanted.add(now->uid(i));
      }
    }
    if (wanted.empty()) break;
    Result<void> got;
    {
      ContentClaim claim(*this, key);
      got = co_await bring_content(now->info(), std::move(wanted), out);
    }
    if (got) break;
    if (attempt != 0 || !is_broken(got.error())) co_return got.error();
  }
  if (auto ok = co_await copy_.durable(copy_.store().appended()); !ok) co_return ok.error();
  co_return out;
}

awaitable<Result<void>> UpstreamAuthority::bring_content(MailboxInfo info, UidSet wanted, ContentOutcome& out) {
  auto lease = co_await selected(info, false);
  if (!lease) co_return lease.error();
  ApplyQueue::Observation asked(queue_);
  Importer in(copy_, asked, info.key, info.mode == storage::ModSeqMode::mirror, authoritative_);
  auto failed = co_await fetch_bodies(*lease, in, std::move(wanted), nullptr);
  if (!failed) co_return failed.error();
  out.failed = std::move(*failed);
  out.fetched += in.counts().bodies;
  out.bytes += in.counts().bytes;
  co_return Result<void>();
}

// The first listing and its bodies in one pass, page by page, so that a session that comes meanwhile waits for one page
// at most. The cursor is that of the first page's EXAMINE: whatever changes meanwhile is above it.
awaitable<Result<void>> UpstreamAuthority::fill_first(MailboxInfo info, Filled& out, OnCounts on_counts) {
  std::optional<storage::SyncCursor> cursor;
  uint32_t window = first_window;
  Uid from(1);
  ImportCounts before;
  do {
    MailboxLock lock = co_await lock_mailbox(info.key);
    auto lease = co_await link_.prefer(info.name, false, job_use());
    if (!lease) co_return lease.error();
    ApplyQueue::Observation asked(queue_);
    if (lease->line().selected != info.name || !cursor) {
      wire::imap::cmd::Select request;
      request.examine = examine_keeps_uid_validity_;
      const bool numbers = has_numbers(**lease);
      request.condstore = numbers;
      Selecting selecting = start_select(*lease, info.name, request);
      auto now = co_await finish_select(*lease, info.name, selecting);
      if (!now) co_return now.error();
      if (!cursor && !numbers && examine_keeps_uid_validity_) {
        // Whether EXAMINE can be trusted here is seen by asking twice.
        Selecting second = start_select(*lease, info.name, request);
        auto again = co_await finish_select(*lease, info.name, second);
        if (!again) co_return again.error();
        if (again->uid_validity != now->uid_validity) {
          examine_keeps_uid_validity_ = false;
          request.examine = false;
          Selecting third = start_select(*lease, info.name, request);
          now = co_await finish_select(*lease, info.name, third);
          if (!now) co_return now.error();
        }
      }
      if (now->uid_validity != info.uid_validity) {
        auto same = co_await same_identity(*lease, info, *now);
        if (!same) co_return same.error();
        if (!*same) {
          if (auto ok = adopt(info, *now); !ok) co_return ok.error();
          auto adopted = still_there(info.key);
          if (!adopted) co_return adopted.error();
          info = (*adopted)->info();
          cursor.reset();
          from = Uid(1);
        }
      }
      if (!now->highest_modseq && info.mode == storage::ModSeqMode::mirror) {
        storage::MailboxChange change;
        change.mode = storage::ModSeqMode::own;
        storage::Batch batch = copy_.store().begin();
        if (auto ok = batch.change_mailbox(info.key, change); !ok) co_return ok.error();
        if (auto lsn = copy_.apply(std::move(batch)); !lsn) co_return lsn.error();
        info.mode = storage::ModSeqMode::own;
      }
      if (!cursor) cursor = cursor_of(*now);
      if (cursor->uid_next.value == 0) {
        co_return Failure(Errc::conflict, "the source tells no UIDNEXT for '" + info.name + "'");
      }
    }
    const bool mirror = info.mode == storage::ModSeqMode::mirror;
    Importer in(copy_, asked, info.key, mirror, authoritative_);
    if (cursor->exists != 0 && from < cursor->uid_next) {
      const uint64_t end = std::min<uint64_t>(uint64_t{from.value} + window, cursor->uid_next.value);
      const Uid last(static_cast<uint32_t>(end - 1));
      storage::BodyWriter writer = copy_.store().new_body();
      OnCounts page_counts;
      if (on_counts) {
        page_counts = [&on_counts, before](const ImportCounts& c) {
          ImportCounts sum = before;
          sum.added += c.added;
          sum.bodies += c.bodies;
          sum.bytes += c.bytes;
          on_counts(sum);
        };
      }
      ListingSink sink(in, &writer, page_counts);
      auto call = (*lease)->uid_fetch(full_listing(**lease, SequenceSet::of(UidSet(from, last)), true), sink);
      auto done = co_await call.get();
      if (sink.failure()) co_return *sink.failure();
      if (!done && is_broken(done.error())) co_return done.error();
      if (auto ok = in.flush(); !ok) co_return ok.error();
      if (!done) {
        // Something in this page is refused: list it without bodies, and leave the bodies to the one-by-one path.
        ListingSink plain(in, nullptr, nullptr);
        auto listing = (*lease)->uid_fetch(full_listing(**lease, SequenceSet::of(UidSet(from, last)), false), plain);
        auto listed_all = co_await listing.get();
        if (plain.failure()) co_return *plain.failure();
        if (!listed_all) co_return listed_all.error();
      }
      if (in.seen().count() < sparse_page && window < (1u << 30)) window *= 4;
      from = Uid(static_cast<uint32_t>(end));
    }
    const bool finished = cursor->exists == 0 || from >= cursor->uid_next;
    if (auto ok = finished ? in.finish(*cursor) : in.flush(); !ok) co_return ok.error();
    for (const auto& r : in.refused()) out.failed.push_back(r);
    before.added += in.counts().added;
    before.bodies += in.counts().bodies;
    before.bytes += in.counts().bytes;
    out.counts = before;
    if (finished) break;
  } while (true);
  co_return co_await copy_.durable(copy_.store().appended());
}

awaitable<Result<UpstreamAuthority::Filled>> UpstreamAuthority::fill(std::string name, OnCounts on_counts) {
  Filled out;
  auto info = co_await known_mailbox(name);
  if (!info) co_return info.error();
  out.key = info->key;
  const auto cursor = copy_.store().cursor(info->key);
  const bool listed_before = cursor && cursor->complete && cursor->uid_validity == info->uid_validity;
  auto there = still_there(info->key);
  if (!there) co_return there.error();
  if (!listed_before && (*there)->size() == 0) {
    if (auto ok = co_await fill_first(*info, out, on_counts); !ok) co_return ok.error();
  } else {
    MailboxLock lock = co_await lock_mailbox(info->key);
    auto lease = co_await link_.prefer(name, false, job_use());
    if (!lease) co_return lease.error();
    Options options;
    auto climbed = co_await climb(*lease, *info, options);
    if (!climbed) co_return climbed.error();
    out.counts = climbed->counts;
  }
  if (auto ok = co_await fill_content(out, on_counts); !ok) co_return ok.error();
  co_return out;
}

bool UpstreamAuthority::has_all_content(const std::string& name) const {
  const auto tree = copy_.store().tree();
  const MailboxInfo* info = tree->find(name);
  if (!info) return false;
  const storage::MailboxSnapshotPtr now = copy_.store().snapshot(info->key);
  return now && without_body(*now, copy_.store()).empty();
}

awaitable<Result<void>> UpstreamAuthority::fill_content(Filled& out, OnCounts on_counts) {
  storage::MailboxSnapshotPtr now = copy_.store().snapshot(out.key);
  if (!now) co_return Result<void>();
  UidSet wanted = without_body(*now, copy_.store());
  if (wanted.empty()) co_return Result<void>();
  auto lease = co_await selected(now->info(), false, job_use());
  if (!lease) co_return lease.error();
  ApplyQueue::Observation asked(queue_);
  Importer in(copy_, asked, out.key, now->info().mode == storage::ModSeqMode::mirror, authoritative_);
  auto failed = co_await fetch_bodies(*lease, in, std::move(wanted), on_counts);
  if (!failed) co_return failed.error();
  for (auto& f : *failed) out.failed.push_back(std::move(f));
  out.counts.bodies += in.counts().bodies;
  out.counts.bytes += in.counts().bytes;
  co_return co_await copy_.durable(copy_.store().appended());
}

}  // namespace gateway::source
