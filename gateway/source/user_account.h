// The MailAccount that this node serves: the copy, the authority of the moment, the gate that a freeze shuts, and what
// jobs need of them. On the account's core.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gateway/derived/engine.h"
#include "gateway/source/account.h"
#include "gateway/source/authority.h"
#include "gateway/source/copy.h"
#include "gateway/source/registry.h"
#include "gateway/source/write_gate.h"

namespace gateway::source {

class UpstreamAuthority;

// Whether an account is in use, for those who look for one that is not. Written on its core, read on any thread.
struct Usage {
  std::atomic<uint32_t> busy{0};  // sessions and jobs
  std::atomic<bool> job{false};
  std::atomic<int64_t> last{now()};

  static int64_t now() {  // milliseconds
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
  }
  void begin() { ++busy; }
  void end() {
    last = now();
    --busy;
  }
};

class UserAccount final : public MailAccount {
 public:
  UserAccount(Services& services, asio::any_io_executor core, control::User user,
              std::unique_ptr<storage::Account> store);
  ~UserAccount() override;

  // --- MailAccount
  const std::string& user() const override { return user_.name; }
  asio::any_io_executor executor() const override { return core_; }
  Owner owner() const override { return user_.placement.owner; }
  wire::base::Epoch epoch() const override { return user_.placement.epoch; }
  void add_watcher(AccountWatcher* w) override {
    watchers_.push_back(w);
    usage_->begin();
  }
  void remove_watcher(AccountWatcher* w) override {
    if (std::erase(watchers_, w) != 0) usage_->end();
  }
  awaitable<Result<storage::MailboxTreePtr>> tree() override;
  char separator() const override;
  const std::string& prefix() const override;
  wire::imap::NamespaceData namespaces() const override;
  awaitable<Result<void>> create(std::string name, std::vector<std::string> special_use) override;
  awaitable<Result<void>> remove(std::string name) override;
  awaitable<Result<void>> rename(std::string from, std::string to) override;
  awaitable<Result<void>> subscribe(std::string name, bool on) override;
  awaitable<Result<MailboxPtr>> open(std::string name, bool writable) override;
  awaitable<Result<void>> refresh(MailboxPtr box) override;
  std::shared_ptr<void> watch_owner(MailboxPtr box) override;
  awaitable<Result<MailboxStatus>> status(std::string name, bool with_size) override;
  awaitable<std::vector<Result<MailboxStatus>>> status_of(std::vector<std::string> names, bool with_size) override;
  Uid claim_recent(MailboxPtr box) override;
  awaitable<Result<StoreOutcome>> store(MailboxPtr box, UidSet uids, FlagChange change,
                                        std::optional<ModSeq> unchanged_since) override;
  awaitable<Result<void>> mark_seen(MailboxPtr box, UidSet uids) override;
  awaitable<Result<UidSet>> expunge(MailboxPtr box, std::optional<UidSet> only) override;
  awaitable<Result<CopyOutcome>> copy(MailboxPtr from, UidSet uids, std::string to, bool move) override;
  awaitable<Result<AppendOutcome>> append(std::string name, AppendItem item) override;
  awaitable<Result<ContentOutcome>> ensure_content(MailboxPtr box, UidSet uids) override;
  awaitable<Result<HeaderOutcome>> headers(MailboxPtr box, UidSet uids) override;
  Result<storage::BodyReader> open_body(const storage::Sha256& name) const override;
  awaitable<std::shared_ptr<storage::DerivedData>> derived() override { return derived_.data(); }
  void want_derived(const MailboxPtr& box) override { derived_.want(box->key()); }

  // --- for jobs
  Services& services() { return services_; }
  const control::User& record() const { return user_; }
  Copy& the_copy() { return copy_; }
  // The old server, as this user; also after the commit (rollback, leak detection). Null for a local user.
  const std::shared_ptr<UpstreamAuthority>& source() { return source_; }
  // How often it was opened; whether no session and no job has used it for that long.
  uint64_t opens() const { return opens_; }
  void note_open() {
    ++opens_;
    usage_->last = Usage::now();
  }
  bool unused_for(std::chrono::milliseconds idle) const {
    return usage_->busy == 0 && Usage::now() - usage_->last >= idle.count();
  }
  std::shared_ptr<const Usage> usage() const { return usage_; }
  // What the account's files and connections count for, until it is destroyed.
  void keep(Descriptors::Hold hold) { descriptors_ = std::move(hold); }
  // A pass over the store where that is due; ends when the account is closed.
  awaitable<void> maintain();
  // Passes, at most `share` per cent of the time, as long as they gain something; `unused`: and nobody uses it.
  awaitable<Result<RewriteOutcome>> give_back(uint32_t share, bool unused);
  // One job an account: false when another has it.
  bool begin_job() {
    if (std::exchange(job_, true)) return false;
    usage_->job = true;
    usage_->begin();
    return true;
  }
  void end_job() {
    if (!std::exchange(job_, false)) return;
    usage_->end();
    usage_->job = false;
  }

  // The control database has the new placement already; these make the account follow it.
  // Shuts the gate and waits until no write is under way; false: one takes too long, thaw.
  awaitable<bool> freeze(control::State state, control::Placement placement, std::chrono::milliseconds patience);
  // Shuts the gate and drains it, the placement as it is; settle() opens it again.
  awaitable<bool> hold_writes(std::chrono::milliseconds patience);
  // Gives the account to its owner, upstream or local: same sessions, same views.
  awaitable<Result<void>> settle(control::State state, control::Placement placement);

  // The control database has it already; owner and epoch stay.
  void set_state(control::State state) { user_.state = state; }
  void set_commit_evidence(std::string evidence) { user_.commit_evidence = std::move(evidence); }

  // What the user just logged in with; kept in memory, for upstreams where no admin can log in.
  void remember_password(std::string password);

  // Tells every session to leave, ends the upstream connections, closes the store.
  awaitable<Result<void>> close(std::string why);
  bool closed() const { return closed_; }

 protected:
  storage::Account& store_for_bodies() override { return copy_.store(); }

 private:
  awaitable<Result<void>> write_deferred_seen();
  void choose_authority();
  storage::MailboxTreePtr visible_tree();

  // Damage met while serving (heal.cpp).
  class Healing {
   public:
    explicit Healing(UserAccount& account) : account_(account) { account_.healing_ = true; }
    ~Healing() {
      account_.healing_ = false;
      account_.healed_.notify_all();
    }
    Healing(const Healing&) = delete;
    Healing& operator=(const Healing&) = delete;

   private:
    UserAccount& account_;
  };
  std::map<Uid, storage::Sha256> damaged_among(const MailboxPtr& box, const UidSet& uids) const;
  void tell_damage(const MailboxPtr& box, const std::map<Uid, storage::Sha256>& bodies, const std::string& outcome);
  awaitable<Result<std::vector<WantedBody>>> ask_source(MailboxPtr box, std::map<Uid, storage::Sha256> wanted);
  awaitable<Result<void>> store_again(std::vector<WantedBody>* bodies);
  awaitable<UidSet> heal(MailboxPtr box, UidSet uids, ContentOutcome& out);

  Services& services_;
  asio::any_io_executor core_;
  control::User user_;
  Descriptors::Hold descriptors_;  // given back after the files below are closed
  Copy copy_;
  derived::Engine derived_;
  WriteGate gate_;
  std::shared_ptr<UpstreamAuthority> source_;
  AuthorityPtr authority_;
  std::vector<AccountWatcher*> watchers_;
  std::map<MailboxPtr, UidSet> deferred_seen_;
  std::string login_password_;
  mutable std::string prefix_;
  storage::MailboxTreePtr whole_tree_, own_tree_;  // what own_tree() made, and of what
  const std::shared_ptr<Usage> usage_ = std::make_shared<Usage>();
  std::atomic<uint64_t> opens_{0};
  const storage::Lsn opened_at_;
  std::optional<storage::Lsn> maintained_;  // where the log was at the last pass; nothing: none since it was opened
  bool maintain_again_ = false;
  int64_t maintained_at_ = Usage::now();
  bool job_ = false, closed_ = false;
  bool healing_ = false;
  wire::net::Event healed_;
  std::set<storage::Sha256> damage_told_;
};

using UserAccountPtr = std::shared_ptr<UserAccount>;

}  // namespace gateway::source
