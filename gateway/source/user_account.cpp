#include "gateway/source/user_account.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "gateway/source/local_authority.h"
#include "gateway/source/names.h"
#include "gateway/source/namespaces.h"
#include "gateway/source/upstream_authority.h"

namespace gateway::source {

using storage::Batch;
using storage::Errc;
using storage::Failure;
using storage::MailboxInfo;
using wire::base::MailboxKey;

namespace {

// How long a write waits for a freeze to end before the client is told to try again (migration: freeze budget 30 s).
constexpr std::chrono::seconds freeze_patience{35};

constexpr char default_separator = '/';

}  // namespace

UserAccount::UserAccount(Services& services, asio::any_io_executor core, control::User user,
                         std::unique_ptr<storage::Account> store)
    : services_(services),
      core_(core),
      user_(std::move(user)),
      copy_(core, services.blocking, std::move(store)),
      derived_(core, services.background ? *services.background : services.blocking, services.env, copy_.store(),
               [&services, name = user_.name](const std::string& what) {
                 if (services.warn) services.warn(name, what);
               }),
      gate_(core),
      opened_at_(copy_.store().appended()),
      healed_(core) {
  copy_.on_failed([this](const std::string& why) {
    services_.warn(user_.name, "the store failed and is opened again: " + why);
    if (services_.registry) services_.registry->close_soon(user_.name, "the account's disk failed; please reconnect");
  });
  if (!user_.upstream.empty()) {
    auto at = services_.config.upstreams.find(user_.upstream);
    if (at != services_.config.upstreams.end()) {
      source_ = std::make_shared<UpstreamAuthority>(copy_, services_, core_, at->second, user_.name);
    }
  }
  choose_authority();
}

UserAccount::~UserAccount() { OPENSSL_cleanse(login_password_.data(), login_password_.size()); }

void UserAccount::choose_authority() {
  if (owner() == Owner::local) {
    authority_ = std::make_shared<LocalAuthority>(copy_, separator());
    if (gate_.is_shut()) gate_.open();
    return;
  }
  authority_ = source_;
  if (owner() == Owner::frozen) {
    gate_.shut();
  } else if (gate_.is_shut()) {
    gate_.open();
  }
}

char UserAccount::separator() const {
  const auto tree = copy_.store().tree();
  const MailboxInfo* inbox = tree->find("INBOX");
  return inbox ? inbox->separator : default_separator;
}

// What the source's NAMESPACE said; the copy keeps it.
const std::string& UserAccount::prefix() const {
  prefix_ = copy_.store().annotation(prefix_annotation).value_or(std::string());
  return prefix_;
}

wire::imap::NamespaceData UserAccount::namespaces() const {
  wire::imap::NamespaceData data = MailAccount::namespaces();
  if (owner() == Owner::local) return data;
  const storage::Account& store = copy_.store();
  data.other_users = from_annotation(store.annotation(others_annotation).value_or(std::string()));
  data.shared = from_annotation(store.annotation(shared_annotation).value_or(std::string()));
  return data;
}

// Once the mail is here, nobody lets this user see into the mailboxes of others. They stay in the copy: after a
// rollback they have to be what they were.
storage::MailboxTreePtr UserAccount::visible_tree() {
  const storage::MailboxTreePtr& tree = copy_.tree();
  if (owner() != Owner::local) return tree;
  if (whole_tree_ != tree) {
    const auto foreign = [](const MailboxInfo& m) { return (m.attributes & storage::foreign) != 0; };
    own_tree_ = tree;
    if (std::any_of(tree->mailboxes.begin(), tree->mailboxes.end(), foreign)) {
      auto own = std::make_shared<storage::MailboxTree>();
      for (const MailboxInfo& m : tree->mailboxes) {
        if (!foreign(m)) own->mailboxes.push_back(m);
      }
      own->subscriptions = tree->subscriptions;
      own_tree_ = std::move(own);
    }
    whole_tree_ = tree;
  }
  return own_tree_;
}

// Frozen: the copy was brought up to date a moment ago, and the source is being read by the job.
#define FAIRLEAD_AUTHORITY_OR_FAIL(name) \
  AuthorityPtr name = authority_;        \
  if (!name) co_return Failure(Errc::unavailable, "the upstream '" + user_.upstream + "' is not in the configuration")

awaitable<Result<storage::MailboxTreePtr>> UserAccount::tree() {
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  if (owner() != Owner::frozen) {
    auto ok = co_await authority->refresh_tree();
    if (!ok && authority != authority_ && authority_) {
      authority = authority_;  // the account was handed over meanwhile: its new owner answers
      ok = co_await authority->refresh_tree();
    }
    if (!ok) co_return ok.error();
  }
  co_return visible_tree();
}

awaitable<Result<MailboxPtr>> UserAccount::open(std::string name, bool writable) {
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  auto source_name = to_source(name);
  if (!source_name) co_return source_name.error();
  if (owner() == Owner::frozen) {
    const MailboxInfo* info = copy_.tree()->find(*source_name);
    if (!info) co_return Failure(Errc::not_found, "no such mailbox");
    const MailboxKey frozen_key = info->key;
    co_return co_await copy_.open(frozen_key);
  }
  auto key = co_await authority->refresh(*source_name, writable);
  if (!key && authority != authority_ && authority_) {
    authority = authority_;
    key = co_await authority->refresh(*source_name, writable);
  }
  if (!key) co_return key.error();
  co_return co_await copy_.open(*key);
}

awaitable<Result<void>> UserAccount::refresh(MailboxPtr box) {
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  if (owner() == Owner::frozen || box->gone()) co_return Result<void>();
  std::string name = box->info().name;
  auto key = co_await authority->refresh(name, false);
  if (!key && authority != authority_ && authority_) {
    authority = authority_;
    key = co_await authority->refresh(name, false);
  }
  if (!key) co_return key.error();
  co_return Result<void>();
}

std::shared_ptr<void> UserAccount::watch_owner(MailboxPtr box) { return authority_ ? authority_->watch(box) : nullptr; }

namespace {

MailboxStatus status_from(const Mailbox& box, bool with_size) {
  const MailboxSnapshotPtr& now = box.current();
  const MailboxInfo& info = now->info();
  MailboxStatus out;
  out.messages = now->size();
  out.uid_next = info.uid_next;
  out.uid_validity = info.uid_validity;
  out.highest_modseq = info.highest_modseq;
  out.mailbox_id = info.mailbox_id;
  out.recent = now->size() - now->lower_bound(info.first_recent);
  out.unseen = now->unseen();
  out.deleted = now->deleted();
  for (uint32_t i = 0; with_size && i < now->size(); ++i) out.size += now->message(i).size;
  return out;
}

}  // namespace

awaitable<Result<MailboxStatus>> UserAccount::status(std::string name, bool with_size) {
  auto box = co_await open(std::move(name), false);
  if (!box) co_return box.error();
  co_return status_from(**box, with_size);
}

awaitable<std::vector<Result<MailboxStatus>>> UserAccount::status_of(std::vector<std::string> names, bool with_size) {
  std::vector<Result<MailboxStatus>> out;
  std::vector<bool> fresh(names.size(), false);
  AuthorityPtr authority = authority_;
  if (authority && owner() == Owner::upstream && names.size() > 1) {
    std::vector<std::string> at_source;
    for (const std::string& name : names) {
      auto mapped = to_source(name);
      at_source.push_back(mapped ? std::move(*mapped) : std::string());
    }
    auto told = co_await authority->up_to_date(std::move(at_source));
    // What the account was handed over meanwhile says nothing; each is then asked for by itself.
    if (told && authority == authority_) fresh = std::move(*told);
  }
  for (size_t i = 0; i < names.size(); ++i) {
    const MailboxInfo* info = fresh[i] ? copy_.tree()->find(names[i]) : nullptr;
    if (!info) {
      auto asked = co_await status(names[i], with_size);
      out.push_back(std::move(asked));
      continue;
    }
    const MailboxKey key = info->key;
    auto box = co_await copy_.open(key);
    if (box) {
      out.emplace_back(status_from(**box, with_size));
    } else {
      out.emplace_back(box.error());
    }
  }
  co_return out;
}

// The claim before this one counts although it is not yet durable; and only what this mailbox shows is claimed.
Uid UserAccount::claim_recent(MailboxPtr box) {
  const MailboxSnapshotPtr applied = copy_.store().snapshot(box->key());
  const Uid first = applied ? applied->info().first_recent : box->info().first_recent;
  const Uid next = box->info().uid_next;
  if (first >= next) return first;
  storage::MailboxChange change;
  change.first_recent = next;
  Batch batch = copy_.store().begin();
  // Without a sync: \Recent is a hint, and a crash may show it twice (design 1).
  if (batch.change_mailbox(box->key(), change)) (void)copy_.apply(std::move(batch));
  return first;
}

awaitable<Result<void>> UserAccount::create(std::string name, std::vector<std::string> special_use) {
  auto source_name = to_source(name);
  if (!source_name) co_return source_name.error();
  auto pass = co_await gate_.enter(freeze_patience);
  if (!pass) co_return pass.error();
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  co_return co_await authority->create(std::move(*source_name), std::move(special_use));
}

awaitable<Result<void>> UserAccount::remove(std::string name) {
  auto source_name = to_source(name);
  if (!source_name) co_return source_name.error();
  auto pass = co_await gate_.enter(freeze_patience);
  if (!pass) co_return pass.error();
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  co_return co_await authority->remove(std::move(*source_name));
}

awaitable<Result<void>> UserAccount::rename(std::string from, std::string to) {
  auto source_from = to_source(from);
  if (!source_from) co_return source_from.error();
  auto source_to = to_source(to);
  if (!source_to) co_return source_to.error();
  auto pass = co_await gate_.enter(freeze_patience);
  if (!pass) co_return pass.error();
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  co_return co_await authority->rename(std::move(*source_from), std::move(*source_to));
}

awaitable<Result<void>> UserAccount::subscribe(std::string name, bool on) {
  auto source_name = to_source(name);
  if (!source_name) co_return source_name.error();
  auto pass = co_await gate_.enter(freeze_patience);
  if (!pass) co_return pass.error();
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  co_return co_await authority->subscribe(std::move(*source_name), on);
}

awaitable<Result<StoreOutcome>> UserAccount::store(MailboxPtr box, UidSet uids, FlagChange change,
                                                   std::optional<ModSeq> unchanged_since) {
  auto pass = co_await gate_.enter(freeze_patience);
  if (!pass) co_return pass.error();
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  co_return co_await authority->store(std::move(box), std::move(uids), std::move(change), unchanged_since);
}

awaitable<Result<void>> UserAccount::mark_seen(MailboxPtr box, UidSet uids) {
  UidSet unseen;
  const MailboxSnapshotPtr now = box->current();
  for (const auto& range : uids.ranges()) {
    for (uint32_t i = now->lower_bound(range.first); i < now->size() && now->uid(i) <= range.last; ++i) {
      if ((now->system_flags(i) & wire::base::seen) == 0) unseen.add(now->uid(i));
    }
  }
  if (unseen.empty()) co_return Result<void>();
  if (gate_.is_shut()) {
    deferred_seen_[box].add(unseen);
    co_return Result<void>();
  }
  FlagChange change;
  change.mode = wire::base::FlagsMode::add;
  change.flags.system = wire::base::seen;
  auto done = co_await store(std::move(box), std::move(unseen), std::move(change), std::nullopt);
  if (!done) co_return done.error();
  co_return Result<void>();
}

awaitable<Result<UidSet>> UserAccount::expunge(MailboxPtr box, std::optional<UidSet> only) {
  auto pass = co_await gate_.enter(freeze_patience);
  if (!pass) co_return pass.error();
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  co_return co_await authority->expunge(std::move(box), std::move(only));
}

awaitable<Result<CopyOutcome>> UserAccount::copy(MailboxPtr from, UidSet uids, std::string to, bool move) {
  auto target = to_source(to);
  if (!target) co_return target.error();
  auto pass = co_await gate_.enter(freeze_patience);
  if (!pass) co_return pass.error();
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  co_return co_await authority->copy(std::move(from), std::move(uids), std::move(*target), move);
}

// The epoch of an APPEND is that in which its last byte arrived (design 9): the item is complete here.
awaitable<Result<AppendOutcome>> UserAccount::append(std::string name, AppendItem item) {
  auto target = to_source(name);
  if (!target) co_return target.error();
  auto pass = co_await gate_.enter(freeze_patience);
  if (!pass) co_return pass.error();
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  auto done = co_await authority->append(*target, std::move(item));
  if (done && owner() == Owner::local) {
    if (const MailboxInfo* info = copy_.tree()->find(*target)) derived_.arrived(info->key, done->uid);
  }
  co_return done;
}

awaitable<Result<ContentOutcome>> UserAccount::ensure_content(MailboxPtr box, UidSet uids) {
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  ContentOutcome damage;
  const UidSet handled = co_await heal(box, uids, damage);
  UidSet rest;
  for (const auto& range : uids.ranges()) {
    for (Uid uid = range.first; uid <= range.last; uid = uid.next()) {
      if (!handled.contains(uid)) rest.add(uid);
    }
  }
  if (rest.empty()) co_return damage;
  auto done = co_await authority->ensure_content(box, rest);
  if (!done && authority != authority_ && authority_) {
    authority = authority_;
    done = co_await authority->ensure_content(box, rest);
  }
  if (done) {
    for (auto& f : damage.failed) done->failed.push_back(std::move(f));
  }
  co_return done;
}

awaitable<Result<HeaderOutcome>> UserAccount::headers(MailboxPtr box, UidSet uids) {
  FAIRLEAD_AUTHORITY_OR_FAIL(authority);
  co_return co_await authority->headers(std::move(box), std::move(uids));
}

#undef FAIRLEAD_AUTHORITY_OR_FAIL

Result<storage::BodyReader> UserAccount::open_body(const storage::Sha256& name) const {
  return copy_.store().open_body(name);
}

void UserAccount::remember_password(std::string password) {
  OPENSSL_cleanse(login_password_.data(), login_password_.size());
  login_password_ = std::move(password);
  if (source_) source_->set_login_password(login_password_);
}

awaitable<Result<void>> UserAccount::close(std::string why) {
  if (std::exchange(closed_, true)) co_return Result<void>();
  auto watchers = watchers_;
  for (AccountWatcher* w : watchers) w->on_must_leave(why);
  co_await derived_.close();
  if (source_) co_await source_->close();
  co_return co_await copy_.close();
}

}  // namespace gateway::source
