// The mailbox tree of the source, and the copy's brought up to date with it.

#include <algorithm>

#include "gateway/source/upstream_authority.h"

namespace gateway::source {

using storage::Batch;
using storage::Errc;
using storage::Failure;
using storage::MailboxInfo;
using wire::imap::StatusItems;

namespace {

bool special_use(const std::string& attribute) {
  for (const char* use :
       {"\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash", "\\Important"}) {
    if (wire::base::iequals(attribute, use)) return true;
  }
  return false;
}

SourceMailbox from_list(const imapc::ListedMailbox& m) {
  SourceMailbox out;
  out.name = wire::base::iequals(m.name, "INBOX") ? "INBOX" : m.name;
  out.separator = m.separator;
  if (m.has("\\Noselect")) out.attributes |= storage::no_select;
  if (m.has("\\NonExistent")) out.attributes |= storage::non_existent;
  if (m.has("\\Noinferiors")) out.attributes |= storage::no_inferiors;
  for (const std::string& a : m.attributes) {
    if (special_use(a)) out.special_use.push_back(a);
  }
  return out;
}

void add_numbers(SourceMailbox& m, const imapc::StatusData& s) {
  m.uid_validity = s.uid_validity;
  m.uid_next = s.uid_next;
  m.highest_modseq = s.highest_modseq;
  if (s.messages) m.messages = *s.messages;
  m.mailbox_id = s.mailbox_id;
}

// Of a server with more shared mailboxes than anybody looks through, the first ones are shown.
constexpr size_t max_foreign = 10000;

StatusItems numbers(bool with_modseq) {
  StatusItems items;
  items.bits = StatusItems::messages | StatusItems::uid_next | StatusItems::uid_validity;
  if (with_modseq) items.bits |= StatusItems::highest_modseq;
  // Never MAILBOXID: Cyrus 3.6 answers it in STATUS with bytes of freed memory. SELECT tells it right.
  return items;
}

}  // namespace

awaitable<Result<void>> UpstreamAuthority::learn_namespaces(imapc::Connection& c) {
  if (prefix_) co_return Result<void>();
  if (!c.capabilities().has("NAMESPACE")) {
    prefix_ = std::string();
    co_return Result<void>();
  }
  auto call = c.namespaces();
  auto told = co_await call.get();
  if (!told) co_return told.error();
  namespaces_ = Namespaces(*told);
  prefix_ = namespaces_.prefix();
  // The copy keeps it: after the commit nobody else can tell.
  storage::Batch batch = copy_.store().begin();
  batch.annotate(prefix_annotation, *prefix_);
  batch.annotate(others_annotation, to_annotation(told->other_users));
  batch.annotate(shared_annotation, to_annotation(told->shared));
  if (!batch.empty() && authoritative_) {
    if (auto lsn = copy_.apply(std::move(batch)); !lsn) co_return lsn.error();
  }
  co_return Result<void>();
}

awaitable<Result<UpstreamAuthority::Inventory>> UpstreamAuthority::list(imapc::Connection& c, bool with_status) {
  Inventory out;
  imapc::TreeRequest request;
  const StatusItems wanted = numbers(has_numbers(c));
  const bool in_one = with_status && (offers(c, "LIST-STATUS") || !c.capabilities().has("LIST-STATUS"));
  if (in_one) request.status = wanted;
  auto listed = co_await imapc::list_tree(c, request);
  if (!listed) co_return listed.error();
  for (const imapc::ListedMailbox& m : *listed) {
    if (m.subscribed) out.subscriptions.push_back(wire::base::iequals(m.name, "INBOX") ? "INBOX" : m.name);
    if (!m.exists && !m.has("\\Noselect")) continue;
    SourceMailbox s = from_list(m);
    if (m.status) add_numbers(s, *m.status);
    if (!namespaces_.personal(m.name)) {
      // What the user may see and not read is a name only.
      if (m.status_failure) s.attributes |= storage::no_select;
      s.attributes |= storage::foreign;
      s.special_use.clear();  // the other user's
      if (out.foreign.size() < max_foreign) out.foreign.push_back(std::move(s));
      continue;
    }
    if (m.status_failure) out.unreadable.emplace_back(s.name, *m.status_failure);
    out.mailboxes.push_back(std::move(s));
  }
  if (in_one) co_return out;
  // A mailbox that the copy has not seen cannot be made without its UIDVALIDITY.
  const auto tree = copy_.store().tree();
  std::vector<SourceMailbox*> unknown;
  std::vector<std::string> names;
  for (auto* kind : {&out.mailboxes, &out.foreign}) {
    for (SourceMailbox& s : *kind) {
      if (!s.selectable() || (!(with_status && !s.foreign()) && tree->find(s.name) != nullptr)) continue;
      unknown.push_back(&s);
      names.push_back(s.name);
    }
  }
  if (unknown.empty()) co_return out;
  auto told = co_await imapc::status_of(c, names, wanted);
  for (size_t i = 0; i < unknown.size(); ++i) {
    if (told[i]) {
      add_numbers(*unknown[i], *told[i]);
    } else if (is_broken(told[i].error())) {
      co_return told[i].error();
    } else if (unknown[i]->foreign()) {
      unknown[i]->attributes |= storage::no_select;
    } else {
      out.unreadable.emplace_back(names[i], told[i].error());
    }
  }
  co_return out;
}

TreePlan UpstreamAuthority::plan_for(const Inventory& seen) const {
  std::vector<SourceMailbox> all = seen.mailboxes;
  all.insert(all.end(), seen.foreign.begin(), seen.foreign.end());
  return plan_tree(*copy_.store().tree(), all, seen.subscriptions);
}

Result<void> UpstreamAuthority::apply_tree(const Inventory& seen) {
  if (!authoritative_) return Failure(Errc::conflict, "the account has another owner now");
  const TreePlan plan = plan_for(seen);
  if (plan.empty()) return {};
  Batch batch = copy_.store().begin();
  for (const auto& r : plan.renames) {
    storage::MailboxChange change;
    change.name = r.to.name;
    change.special_use = r.to.special_use;
    if (auto ok = batch.change_mailbox(r.from.key, change); !ok) return ok.error();
  }
  for (const MailboxInfo& m : plan.remove) {
    if (auto ok = batch.remove_mailbox(m.key); !ok) return ok.error();
  }
  for (const auto& [ours, theirs] : plan.change) {
    storage::MailboxChange change;
    change.attributes = theirs.attributes;
    change.separator = theirs.separator;
    change.special_use = theirs.special_use;
    if (!theirs.mailbox_id.empty()) change.mailbox_id = theirs.mailbox_id;
    if (auto ok = batch.change_mailbox(ours.key, change); !ok) return ok.error();
  }
  for (const SourceMailbox& s : plan.create) {
    if (s.selectable() && !s.uid_validity) continue;  // its STATUS was refused: it is in `unreadable`
    MailboxInfo info;
    info.name = s.name;
    info.separator = s.separator;
    info.attributes = s.attributes;
    info.special_use = s.special_use;
    info.mailbox_id = s.mailbox_id;
    info.mode = s.highest_modseq ? storage::ModSeqMode::mirror : storage::ModSeqMode::own;
    if (s.uid_validity) info.uid_validity = *s.uid_validity;
    if (auto made = batch.create_mailbox(info); !made) return made.error();
  }
  for (const std::string& name : plan.subscribe) batch.subscribe(name, true);
  for (const std::string& name : plan.unsubscribe) batch.subscribe(name, false);
  if (batch.empty()) return {};
  if (auto lsn = copy_.apply(std::move(batch)); !lsn) return lsn.error();
  return {};
}

awaitable<Result<UpstreamAuthority::Inventory>> UpstreamAuthority::observe_tree(bool with_status,
                                                                                UpstreamLink::Use use) {
  auto lease = co_await link_.any(use);
  if (!lease) co_return lease.error();
  if (auto ok = co_await learn_namespaces(**lease); !ok) co_return ok.error();
  auto seen = co_await list(**lease, with_status);
  if (!seen) co_return seen.error();
  // A mailbox goes by two observations, like a message (a LIST cut short by a fault must not remove a tree).
  const TreePlan plan = plan_for(*seen);
  if (!plan.remove.empty()) {
    seen = co_await list(**lease, with_status);
    if (!seen) co_return seen.error();
  }
  if (auto ok = apply_tree(*seen); !ok) co_return ok.error();
  co_return seen;
}

awaitable<Result<UpstreamAuthority::Inventory>> UpstreamAuthority::inventory() {
  auto seen = co_await observe_tree(true, job_use());
  if (!seen && is_broken(seen.error())) seen = co_await observe_tree(true, job_use());
  if (!seen) co_return seen.error();
  if (auto ok = co_await copy_.durable(copy_.store().appended()); !ok) co_return ok.error();
  co_return seen;
}

awaitable<Result<UpstreamAuthority::Inventory>> UpstreamAuthority::observe_source() {
  auto lease = co_await link_.any(job_use());
  if (!lease) co_return lease.error();
  if (auto ok = co_await learn_namespaces(**lease); !ok) co_return ok.error();
  co_return co_await list(**lease, true);
}

awaitable<Result<void>> UpstreamAuthority::refresh_tree() {
  auto seen = co_await observe_tree(false, UpstreamLink::Use::session);
  if (!seen && is_broken(seen.error())) seen = co_await observe_tree(false, UpstreamLink::Use::session);
  if (!seen) co_return seen.error();
  co_return co_await copy_.durable(copy_.store().appended());
}

awaitable<Result<void>> UpstreamAuthority::create(std::string name, std::vector<std::string> use) {
  {
    auto lease = co_await link_.any();
    if (!lease) co_return lease.error();
    auto call = (*lease)->create(name, std::move(use));
    if (auto done = co_await call.get(); !done) co_return done.error();
  }
  co_return co_await refresh_tree();
}

// Before a DELETE or RENAME: some servers end the connection that has the mailbox selected.
awaitable<Result<void>> UpstreamAuthority::leave(UpstreamLink::Lease& lease, std::string name) {
  if (lease.line().selected != name) co_return Result<void>();
  lease.line().selected.clear();
  if (!profile_.leave_before_delete) co_return Result<void>();
  auto call = lease->unselect();
  auto done = co_await call.get();
  if (!done) co_return done.error();
  co_return Result<void>();
}

awaitable<Result<void>> UpstreamAuthority::remove(std::string name) {
  {
    auto lease = co_await link_.any();
    if (!lease) co_return lease.error();
    if (auto ok = co_await leave(*lease, name); !ok) co_return ok.error();
    auto call = (*lease)->remove(name);
    if (auto done = co_await call.get(); !done) co_return done.error();
  }
  co_return co_await refresh_tree();
}

awaitable<Result<void>> UpstreamAuthority::rename(std::string from, std::string to) {
  {
    auto lease = co_await link_.any();
    if (!lease) co_return lease.error();
    if (auto ok = co_await leave(*lease, from); !ok) co_return ok.error();
    auto call = (*lease)->rename(from, to);
    if (auto done = co_await call.get(); !done) co_return done.error();
  }
  co_return co_await refresh_tree();
}

awaitable<Result<void>> UpstreamAuthority::subscribe(std::string name, bool on) {
  auto lease = co_await link_.any();
  if (!lease) co_return lease.error();
  auto call = on ? (*lease)->subscribe(name) : (*lease)->unsubscribe(name);
  if (auto done = co_await call.get(); !done) co_return done.error();
  Batch batch = copy_.store().begin();
  batch.subscribe(name, on);
  co_return co_await copy_.commit(std::move(batch));
}

}  // namespace gateway::source
