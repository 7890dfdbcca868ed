#include "gateway/source/local_authority.h"

#include <chrono>
#include <set>

#include "gateway/source/names.h"

namespace gateway::source {

using storage::Batch;
using storage::Errc;
using storage::Failure;
using storage::MailboxInfo;
using wire::base::MailboxKey;

namespace {

Failure no_such_mailbox() { return Failure(Errc::not_found, "no such mailbox"); }

// What belongs to one message of one mailbox does not travel with its content.
void forget_place(storage::MessageInfo& info) {
  info.uidl.clear();
  info.pop3_order.reset();
  info.source_uid_validity.reset();
  info.source_uid.reset();
}

// Below INBOX the first level is INBOX in any case (RFC 3501 5.1): else "inbox/x" would be a second, unselectable
// INBOX.
std::string below_inbox(std::string name, char separator) {
  if (separator != 0 && name.size() > 6 && name[5] == separator && wire::base::iequals(name.substr(0, 5), "INBOX")) {
    name.replace(0, 5, "INBOX");
  }
  return name;
}

// What the user saw into while the source was the owner is no mailbox of this account (design 9).
bool is_ours(const MailboxInfo* info) { return info && (info->attributes & storage::foreign) == 0; }

InternalDate now() {
  using namespace std::chrono;
  return {duration_cast<seconds>(system_clock::now().time_since_epoch()).count(), 0};
}

MailboxInfo new_mailbox(std::string name, char separator) {
  MailboxInfo info;
  info.name = std::move(name);
  info.separator = separator;
  return info;
}

}  // namespace

awaitable<Result<void>> LocalAuthority::refresh_tree() { co_return Result<void>(); }

Result<MailboxInfo> LocalAuthority::selectable(const std::string& name) const {
  storage::MailboxTreePtr tree = copy_.store().tree();
  const MailboxInfo* info = tree->find(name);
  if (!is_ours(info) || (info->attributes & (storage::no_select | storage::non_existent)) != 0)
    return no_such_mailbox();
  return *info;
}

// RFC 3501 6.3.3: superior names are made too.
Result<void> LocalAuthority::create_parents(Batch& batch, const std::string& name) {
  if (separator_ == 0) return {};
  storage::MailboxTreePtr tree = copy_.store().tree();
  for (size_t at = name.find(separator_); at != name.npos; at = name.find(separator_, at + 1)) {
    const std::string parent = name.substr(0, at);
    if (tree->find(parent)) continue;
    if (auto made = batch.create_mailbox(new_mailbox(parent, separator_)); !made) return made.error();
  }
  return {};
}

awaitable<Result<void>> LocalAuthority::create(std::string name, std::vector<std::string> special_use) {
  if (separator_ != 0 && name.size() > 1 && name.back() == separator_) name.pop_back();
  name = below_inbox(std::move(name), separator_);
  if (auto ok = may_create(name, separator_); !ok) co_return ok.error();
  storage::MailboxTreePtr tree = copy_.store().tree();
  Batch batch = copy_.store().begin();
  if (const MailboxInfo* there = tree->find(name)) {
    if ((there->attributes & (storage::no_select | storage::non_existent)) == 0) {
      co_return Failure(Errc::exists, "the mailbox exists already");
    }
    storage::MailboxChange change;
    change.attributes = there->attributes & ~uint32_t{storage::no_select | storage::non_existent};
    change.special_use = std::move(special_use);
    if (auto ok = batch.change_mailbox(there->key, change); !ok) co_return ok.error();
  } else {
    if (auto ok = create_parents(batch, name); !ok) co_return ok.error();
    MailboxInfo info = new_mailbox(name, separator_);
    info.special_use = std::move(special_use);
    if (auto made = batch.create_mailbox(info); !made) co_return made.error();
  }
  co_return co_await copy_.commit(std::move(batch));
}

awaitable<Result<void>> LocalAuthority::remove(std::string name) {
  if (wire::base::iequals(name, "INBOX")) co_return Failure(Errc::refused, "INBOX cannot be deleted");
  storage::MailboxTreePtr tree = copy_.store().tree();
  const MailboxInfo* info = tree->find(name);
  if (!is_ours(info)) co_return no_such_mailbox();
  Batch batch = copy_.store().begin();
  if (auto ok = batch.remove_mailbox(info->key); !ok) co_return ok.error();
  co_return co_await copy_.commit(std::move(batch));
}

awaitable<Result<void>> LocalAuthority::rename(std::string from, std::string to) {
  to = below_inbox(std::move(to), separator_);
  if (auto ok = may_create(to, separator_); !ok) co_return ok.error();
  storage::MailboxTreePtr tree = copy_.store().tree();
  if (tree->find(to)) co_return Failure(Errc::exists, "a mailbox of the new name exists already");
  if (wire::base::iequals(from, "INBOX")) co_return co_await rename_inbox(std::move(to));
  if (!is_ours(tree->find(from))) co_return no_such_mailbox();
  const std::string below = from + separator_;
  if (separator_ != 0 && to.starts_with(below)) {
    co_return Failure(Errc::refused, "a mailbox cannot move below itself");
  }
  Batch batch = copy_.store().begin();
  if (auto ok = create_parents(batch, to); !ok) co_return ok.error();
  for (const MailboxInfo& m : tree->mailboxes) {
    const bool child = separator_ != 0 && m.name.starts_with(below);
    if (m.name != from && !child) continue;
    storage::MailboxChange change;
    change.name = to + m.name.substr(from.size());
    if (tree->find(*change.name)) {
      co_return Failure(Errc::exists, "a mailbox below the new name exists already");
    }
    if (auto ok = batch.change_mailbox(m.key, change); !ok) co_return ok.error();
  }
  co_return co_await copy_.commit(std::move(batch));
}

// RFC 3501 6.3.5: INBOX stays, its messages move to a new mailbox; names below INBOX stay.
awaitable<Result<void>> LocalAuthority::rename_inbox(std::string to) {
  auto inbox = selectable("INBOX");
  if (!inbox) co_return inbox.error();
  MailboxSnapshotPtr messages = copy_.store().snapshot(inbox->key);
  Batch batch = copy_.store().begin();
  if (auto ok = create_parents(batch, to); !ok) co_return ok.error();
  auto made = batch.create_mailbox(new_mailbox(to, separator_));
  if (!made) co_return made.error();
  for (uint32_t i = 0; i < messages->size(); ++i) {
    storage::NewMessage m;
    m.flags = messages->flags(i);
    m.info = messages->message(i);
    forget_place(m.info);
    if (auto added = batch.add_message(*made, m); !added) co_return added.error();
  }
  if (auto gone = batch.expunge(inbox->key, messages->uids()); !gone) co_return gone.error();
  co_return co_await copy_.commit(std::move(batch));
}

awaitable<Result<void>> LocalAuthority::subscribe(std::string name, bool on) {
  Batch batch = copy_.store().begin();
  batch.subscribe(name, on);
  co_return co_await copy_.commit(std::move(batch));
}

awaitable<Result<MailboxKey>> LocalAuthority::refresh(std::string name, bool) {
  auto info = selectable(name);
  if (!info) co_return info.error();
  co_return info->key;
}

awaitable<Result<StoreOutcome>> LocalAuthority::store(MailboxPtr box, UidSet uids, FlagChange change,
                                                      std::optional<ModSeq> unchanged_since) {
  MailboxSnapshotPtr now = copy_.store().snapshot(box->key());
  if (!now || !is_ours(&now->info())) co_return no_such_mailbox();
  StoreOutcome out;
  for (const auto& range : uids.ranges()) {
    const uint32_t end = range.last.value == UINT32_MAX ? now->size() : now->lower_bound(range.last.next());
    for (uint32_t i = now->lower_bound(range.first); i < end;) {
      const storage::MessageColumns piece = now->columns(i, end);
      if (!unchanged_since) storage::add_uids(out.stored, piece.uids);
      for (uint32_t k = 0; unchanged_since && k < piece.size(); ++k) {
        const bool refused = piece.modseqs[k] > unchanged_since->value;
        (refused ? out.modified : out.stored).add(Uid(piece.uids[k]));
      }
      i += piece.size();
    }
  }
  // Where another session's change is only applied yet, this OK must wait for its sync as well (I5).
  if (out.stored.empty()) {
    if (auto ok = co_await copy_.durable(copy_.store().appended()); !ok) co_return ok.error();
    co_return out;
  }
  Batch batch = copy_.store().begin();
  auto changed = batch.change_flags(box->key(), out.stored, change);
  if (!changed) co_return changed.error();
  if (changed->empty()) {
    if (auto ok = co_await copy_.durable(copy_.store().appended()); !ok) co_return ok.error();
    co_return out;
  }
  if (auto done = co_await copy_.commit(std::move(batch)); !done) co_return done.error();
  co_return out;
}

awaitable<Result<UidSet>> LocalAuthority::expunge(MailboxPtr box, std::optional<UidSet> only) {
  MailboxSnapshotPtr now = copy_.store().snapshot(box->key());
  if (!now || !is_ours(&now->info())) co_return no_such_mailbox();
  UidSet doomed;
  for (uint32_t i = 0; i < now->size(); ++i) {
    if ((now->system_flags(i) & wire::base::deleted) == 0) continue;
    if (only && !only->contains(now->uid(i))) continue;
    doomed.add(now->uid(i));
  }
  if (doomed.empty()) {
    if (auto ok = co_await copy_.durable(copy_.store().appended()); !ok) co_return ok.error();
    co_return doomed;
  }
  Batch batch = copy_.store().begin();
  auto gone = batch.expunge(box->key(), doomed);
  if (!gone) co_return gone.error();
  UidSet went = *gone;
  if (auto done = co_await copy_.commit(std::move(batch)); !done) co_return done.error();
  co_return went;
}

awaitable<Result<CopyOutcome>> LocalAuthority::copy(MailboxPtr from, UidSet uids, std::string to, bool move) {
  auto target = selectable(to);
  if (!target) co_return target.error();
  MailboxSnapshotPtr source = copy_.store().snapshot(from->key());
  if (!source || !is_ours(&source->info())) co_return no_such_mailbox();
  CopyOutcome out;
  out.uid_validity = target->uid_validity;
  Batch batch = copy_.store().begin();
  UidSet taken;
  for (const auto& range : uids.ranges()) {
    for (uint32_t i = source->lower_bound(range.first); i < source->size() && source->uid(i) <= range.last; ++i) {
      storage::NewMessage m;
      m.flags = source->flags(i);
      m.info = source->message(i);
      m.info.save_date = now();
      forget_place(m.info);
      auto added = batch.add_message(target->key, m);
      if (!added) co_return added.error();
      out.from.push_back(source->uid(i));
      out.to.push_back(added->uid);
      taken.add(source->uid(i));
    }
  }
  if (taken.empty()) co_return out;
  if (move) {
    if (auto gone = batch.expunge(from->key(), taken); !gone) co_return gone.error();
  }
  if (auto done = co_await copy_.commit(std::move(batch)); !done) co_return done.error();
  co_return out;
}

awaitable<Result<AppendOutcome>> LocalAuthority::append(std::string name, AppendItem item) {
  auto target = selectable(name);
  if (!target) co_return target.error();
  storage::NewMessage m;
  m.flags = std::move(item.flags);
  m.info.date = item.date ? *item.date : now();
  m.info.save_date = now();
  m.info.size = item.body.size();
  Batch batch = copy_.store().begin();
  auto body = batch.add_body(std::move(item.body));
  if (!body) co_return body.error();
  m.info.body = *body;
  auto added = batch.add_message(target->key, m);
  if (!added) co_return added.error();
  AppendOutcome out{target->uid_validity, added->uid};
  if (auto done = co_await copy_.commit(std::move(batch)); !done) co_return done.error();
  co_return out;
}

// Everything is here: the content is as near as its header.
awaitable<Result<HeaderOutcome>> LocalAuthority::headers(MailboxPtr, UidSet) { co_return HeaderOutcome(); }

awaitable<Result<std::vector<bool>>> LocalAuthority::up_to_date(std::vector<std::string> names) {
  co_return std::vector<bool>(names.size(), true);
}

awaitable<Result<ContentOutcome>> LocalAuthority::ensure_content(MailboxPtr box, UidSet uids) {
  ContentOutcome out;
  MailboxSnapshotPtr now = copy_.store().snapshot(box->key());
  if (!now) co_return out;  // expunged meanwhile: the session's own snapshot still names the bodies
  for (const auto& range : uids.ranges()) {
    for (uint32_t i = now->lower_bound(range.first); i < now->size() && now->uid(i) <= range.last; ++i) {
      const auto& body = now->message(i).body;
      if (body && copy_.store().has_body(*body)) continue;
      out.failed.push_back({now->uid(i), Failure(Errc::corrupt, "the content of this message is not in the store")});
    }
  }
  co_return out;
}

awaitable<void> LocalAuthority::close() { co_return; }

}  // namespace gateway::source
