// A MailAccount whose owner is the copy itself, without a control database, upstreams or freezes: what the tests of
// sessions stand on. The deeds are the real ones of LocalAuthority over a real store.
#pragma once

#include <string>
#include <vector>

#include "gateway/derived/engine.h"
#include "gateway/source/account.h"
#include "gateway/source/copy.h"
#include "gateway/source/local_authority.h"
#include "gateway/source/names.h"

namespace tests::script {

class LocalAccount final : public gateway::source::MailAccount {
 public:
  using Owner = gateway::control::Owner;
  using Failure = storage::Failure;
  template <class T = void>
  using Result = storage::Result<T>;
  using MailboxPtr = gateway::source::MailboxPtr;
  using Uid = storage::Uid;
  using UidSet = storage::UidSet;

  // `env`: derived data is kept; null: none is.
  LocalAccount(std::string user, asio::any_io_executor core, asio::thread_pool& pool,
               std::unique_ptr<storage::Account> store, storage::Env* env = nullptr)
      : user_(std::move(user)), core_(core), copy_(core, pool, std::move(store)), authority_(copy_, '/') {
    gateway::derived::Engine::Pace at_once;
    at_once.quiet = std::chrono::milliseconds(0);
    if (env) derived_.emplace(core, pool, *env, copy_.store(), nullptr, at_once);
  }

  const std::string& user() const override { return user_; }
  asio::any_io_executor executor() const override { return core_; }
  Owner owner() const override { return Owner::local; }
  wire::base::Epoch epoch() const override { return wire::base::Epoch(1); }
  void add_watcher(gateway::source::AccountWatcher* w) override { watchers_.push_back(w); }
  void remove_watcher(gateway::source::AccountWatcher* w) override { std::erase(watchers_, w); }
  size_t watchers() const { return watchers_.size(); }

  awaitable<Result<storage::MailboxTreePtr>> tree() override { co_return copy_.tree(); }
  char separator() const override { return '/'; }
  const std::string& prefix() const override { return prefix_; }
  awaitable<Result<>> create(std::string name, std::vector<std::string> use) override {
    return authority_.create(std::move(name), std::move(use));
  }
  awaitable<Result<>> remove(std::string name) override {
    // As with an owner that forbids it.
    if (name == "kept") co_return Failure(wire::base::Errc::refused, "this mailbox stays");
    co_return co_await authority_.remove(std::move(name));
  }
  awaitable<Result<>> rename(std::string from, std::string to) override {
    return authority_.rename(std::move(from), std::move(to));
  }
  awaitable<Result<>> subscribe(std::string name, bool on) override {
    return authority_.subscribe(std::move(name), on);
  }
  awaitable<Result<MailboxPtr>> open(std::string name, bool writable) override {
    auto source_name = gateway::source::to_source(name);
    if (!source_name) co_return source_name.error();
    auto key = co_await authority_.refresh(std::move(*source_name), writable);
    if (!key) co_return key.error();
    co_return co_await copy_.open(*key);
  }
  awaitable<Result<>> refresh(MailboxPtr) override { co_return Result<>(); }
  std::shared_ptr<void> watch_owner(MailboxPtr) override { return nullptr; }
  Uid claim_recent(MailboxPtr box) override {
    const auto applied = copy_.store().snapshot(box->key());
    const Uid first = applied ? applied->info().first_recent : box->info().first_recent;
    const Uid next = box->info().uid_next;
    if (first >= next) return first;
    storage::MailboxChange change;
    change.first_recent = next;
    storage::Batch batch = copy_.store().begin();
    if (batch.change_mailbox(box->key(), change)) (void)copy_.apply(std::move(batch));
    return first;
  }
  awaitable<Result<gateway::source::MailboxStatus>> status(std::string name, bool) override {
    auto box = co_await open(std::move(name), false);
    if (!box) co_return box.error();
    const auto& now = (*box)->current();
    gateway::source::MailboxStatus out;
    out.messages = now->size();
    out.uid_next = now->info().uid_next;
    out.uid_validity = now->info().uid_validity;
    out.highest_modseq = now->info().highest_modseq;
    out.recent = now->size() - now->lower_bound(now->info().first_recent);
    for (uint32_t i = 0; i < now->size(); ++i) {
      if (!(now->system_flags(i) & wire::base::seen)) ++out.unseen;
      out.size += now->message(i).size;
    }
    co_return out;
  }

  awaitable<Result<gateway::source::StoreOutcome>> store(MailboxPtr box, UidSet uids, storage::FlagChange change,
                                                         std::optional<storage::ModSeq> since) override {
    return authority_.store(std::move(box), std::move(uids), std::move(change), since);
  }
  awaitable<Result<>> mark_seen(MailboxPtr box, UidSet uids) override {
    storage::FlagChange change{wire::base::FlagsMode::add, {wire::base::seen, {}}};
    auto done = co_await authority_.store(std::move(box), std::move(uids), std::move(change), std::nullopt);
    if (!done) co_return done.error();
    co_return Result<>();
  }
  awaitable<Result<UidSet>> expunge(MailboxPtr box, std::optional<UidSet> only) override {
    return authority_.expunge(std::move(box), std::move(only));
  }
  awaitable<Result<gateway::source::CopyOutcome>> copy(MailboxPtr from, UidSet uids, std::string to,
                                                       bool move) override {
    return authority_.copy(std::move(from), std::move(uids), std::move(to), move);
  }
  awaitable<Result<gateway::source::AppendOutcome>> append(std::string name,
                                                           gateway::source::AppendItem item) override {
    auto done = co_await authority_.append(name, std::move(item));
    if (done && derived_) derived_->arrived(copy_.tree()->find(name)->key, done->uid);
    co_return done;
  }
  awaitable<Result<gateway::source::ContentOutcome>> ensure_content(MailboxPtr box, UidSet uids) override {
    return authority_.ensure_content(std::move(box), std::move(uids));
  }
  awaitable<Result<gateway::source::HeaderOutcome>> headers(MailboxPtr box, UidSet uids) override {
    return authority_.headers(std::move(box), std::move(uids));
  }
  awaitable<std::vector<Result<gateway::source::MailboxStatus>>> status_of(std::vector<std::string> names,
                                                                           bool with_size) override {
    std::vector<Result<gateway::source::MailboxStatus>> out;
    for (const std::string& name : names) {
      auto one = co_await status(name, with_size);
      out.push_back(std::move(one));
    }
    co_return out;
  }
  Result<storage::BodyReader> open_body(const storage::Sha256& name) const override {
    return copy_.store().open_body(name);
  }
  awaitable<std::shared_ptr<storage::DerivedData>> derived() override {
    std::shared_ptr<storage::DerivedData> none;
    if (!derived_) co_return none;
    co_return co_await derived_->data();
  }
  void want_derived(const MailboxPtr& box) override {
    if (derived_) derived_->want(box->key());
  }
  gateway::derived::Engine& engine() { return *derived_; }
  awaitable<Result<>> close() {
    if (derived_) co_await derived_->close();
    co_return co_await copy_.close();
  }
  awaitable<void> add_without_body(std::string mailbox) {
    storage::NewMessage message;
    message.info.size = 100;
    storage::Batch batch = copy_.store().begin();
    (void)batch.add_message(copy_.tree()->find(mailbox)->key, message);
    (void)co_await copy_.commit(std::move(batch));
  }

 protected:
  storage::Account& store_for_bodies() override { return copy_.store(); }

 private:
  const std::string user_, prefix_;
  asio::any_io_executor core_;
  gateway::source::Copy copy_;
  std::optional<gateway::derived::Engine> derived_;
  gateway::source::LocalAuthority authority_;
  std::vector<gateway::source::AccountWatcher*> watchers_;
};

}  // namespace tests::script
