// Damage that is met while serving: a body whose bytes do not have their checksum, or that the disk cannot read. The
// bytes come from the source once more while there is one, by name, and are written again; else the client is told so.
// Each damage is one line of the log, whoever asks how often.

#include "gateway/source/upstream_authority.h"
#include "gateway/source/user_account.h"

namespace gateway::source {

using storage::Errc;
using storage::Failure;
using storage::Sha256;

namespace {

constexpr size_t at_once = 64;  // their bytes may be in memory, up to 1 MiB each

Failure damaged(const std::string& why) {
  return Failure(Errc::corrupt, "the stored content of this message is damaged" + why);
}

}  // namespace

// Which of these messages had a body that cannot be read.
std::map<Uid, Sha256> UserAccount::damaged_among(const MailboxPtr& box, const UidSet& uids) const {
  std::map<Uid, Sha256> out;
  const storage::Account& store = copy_.store();
  const MailboxSnapshotPtr now = store.snapshot(box->key());
  if (!now) return out;
  for (const auto& range : uids.ranges()) {
    for (uint32_t i = now->lower_bound(range.first); i < now->size() && now->uid(i) <= range.last; ++i) {
      const auto& body = now->message(i).body;
      if (body && !store.has_body(*body)) out.emplace(now->uid(i), *body);
    }
  }
  return out;
}

void UserAccount::tell_damage(const MailboxPtr& box, const std::map<Uid, Sha256>& bodies, const std::string& outcome) {
  for (const auto& [uid, name] : bodies) {
    if (!damage_told_.insert(name).second) continue;
    const std::string where = copy_.store().damaged_body(name).value_or("the log lost it earlier");
    services_.warn(user_.name, "damaged message: mailbox \"" + wire::base::escape(box->info().name) + "\" UID " +
                                   std::to_string(uid.value) + ", " + where + ": " + outcome);
  }
}

awaitable<Result<std::vector<WantedBody>>> UserAccount::ask_source(MailboxPtr box, std::map<Uid, Sha256> wanted) {
  if (!source_) {
    co_return Failure(
        Errc::not_found,
        "there is no source; restore it: fairlead doctor --repair --from DIRECTORY takes it from a backup");
  }
  // After the commit the connections are closed; they are ours for this one question, unless a job has them.
  const bool borrowed = owner() == Owner::local && !job_;
  if (borrowed) source_->reopen();
  const storage::MailboxInfo info = box->info();
  auto got = co_await source_->fetch_exact(info.name, info.uid_validity, std::move(wanted));
  if (borrowed && owner() == Owner::local && !job_) co_await source_->close();
  co_return got;
}

// What could not be had is in `out`; the return value is every message that was looked at.
awaitable<UidSet> UserAccount::heal(MailboxPtr box, UidSet uids, ContentOutcome& out) {
  UidSet handled;
  while (healing_) co_await healed_.wait();
  const std::map<Uid, Sha256> all = damaged_among(box, uids);
  if (all.empty()) co_return handled;
  Healing claim(*this);
  for (auto it = all.begin(); it != all.end();) {
    std::map<Uid, Sha256> wanted;
    for (; it != all.end() && wanted.size() < at_once; ++it) {
      wanted.insert(*it);
      handled.add(it->first);
    }
    auto got = co_await ask_source(box, wanted);
    std::vector<WantedBody>* found = nullptr;
    if (got) found = &*got;
    Result<void> stored = co_await store_again(found);
    std::map<Uid, Sha256> mended, lost;
    for (const auto& [uid, name] : wanted) (copy_.store().has_body(name) ? mended : lost).emplace(uid, name);
    tell_damage(box, mended, "its bytes were fetched from the source again and are stored");
    for (const auto& [uid, name] : mended) damage_told_.erase(name);
    std::string why = "; the source has other bytes or none";
    if (!got) why = ": " + got.error().note;
    if (!stored) why = ": " + stored.error().note;
    tell_damage(box, lost, "its bytes could not be fetched again" + why);
    for (const auto& [uid, name] : lost) out.failed.push_back({uid, damaged(" and could not be fetched again")});
  }
  co_return handled;
}

awaitable<Result<void>> UserAccount::store_again(std::vector<WantedBody>* bodies) {
  if (bodies == nullptr || bodies->empty()) co_return Result<void>();
  storage::Batch batch = copy_.store().begin();
  for (WantedBody& b : *bodies) {
    if (auto ok = batch.add_body(std::move(b.body)); !ok) co_return ok.error();
  }
  co_return co_await copy_.commit(std::move(batch));
}

}  // namespace gateway::source
