// The old server is the authority: the copy answers what it holds, the rest is asked, writes go through (design 7).
// Also the reading side of a migration: a sync is this class bringing every mailbox up to date, bodies included.
// On the account's core.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "gateway/source/apply_queue.h"
#include "gateway/source/authority.h"
#include "gateway/source/header_cache.h"
#include "gateway/source/importer.h"
#include "gateway/source/namespaces.h"
#include "gateway/source/registry.h"
#include "gateway/source/tree_plan.h"
#include "gateway/source/upstream_link.h"
#include "imapc/list.h"
#include "quirks/profile.h"
#include "wire/net/tasks.h"

namespace gateway::source {

class UpstreamAuthority final : public Authority, public std::enable_shared_from_this<UpstreamAuthority> {
 public:
  // `copy`, `services` and `upstream` outlive it.
  UpstreamAuthority(Copy& copy, Services& services, asio::any_io_executor core, const config::Upstream& upstream,
                    std::string user);
  ~UpstreamAuthority() override;  // close() was awaited

  awaitable<Result<void>> refresh_tree() override;
  awaitable<Result<void>> create(std::string name, std::vector<std::string> special_use) override;
  awaitable<Result<void>> remove(std::string name) override;
  awaitable<Result<void>> rename(std::string from, std::string to) override;
  awaitable<Result<void>> subscribe(std::string name, bool on) override;
  awaitable<Result<wire::base::MailboxKey>> refresh(std::string name, bool writable) override;
  std::shared_ptr<void> watch(MailboxPtr box) override;
  awaitable<Result<StoreOutcome>> store(MailboxPtr box, UidSet uids, FlagChange change,
                                        std::optional<ModSeq> unchanged_since) override;
  awaitable<Result<UidSet>> expunge(MailboxPtr box, std::optional<UidSet> only) override;
  awaitable<Result<CopyOutcome>> copy(MailboxPtr from, UidSet uids, std::string to, bool move) override;
  awaitable<Result<AppendOutcome>> append(std::string name, AppendItem item) override;
  awaitable<Result<ContentOutcome>> ensure_content(MailboxPtr box, UidSet uids) override;
  awaitable<Result<HeaderOutcome>> headers(MailboxPtr box, UidSet uids) override;
  awaitable<Result<std::vector<bool>>> up_to_date(std::vector<std::string> names) override;
  awaitable<void> close() override;

  // What the user logged in with; for upstreams without an admin.
  void set_login_password(std::string password) { login_password_ = std::move(password); }
  // The prefix of the personal namespace, once the server has been asked.
  const std::optional<std::string>& prefix() const { return prefix_; }

  // Whether the server offers it and no quirk rule says otherwise.
  bool offers(const imapc::Connection& c, std::string_view capability) const;
  bool has_numbers(const imapc::Connection& c) const { return offers(c, "CONDSTORE") || offers(c, "QRESYNC"); }
  // FETCH of everything a copy keeps of a message; with `bodies`, BODY.PEEK[] too.
  wire::imap::cmd::Fetch full_listing(const imapc::Connection& c, wire::imap::SequenceSet set, bool bodies) const;

  // --- for jobs
  struct Inventory {
    std::vector<SourceMailbox> mailboxes;  // personal ones
    std::vector<SourceMailbox> foreign;    // of other users' and shared namespaces: seen through, never moved
    std::vector<std::string> subscriptions;
    std::vector<std::pair<std::string, storage::Failure>> unreadable;  // mailboxes whose STATUS was refused
  };
  // The tree, with every mailbox's numbers, in as few round trips as the server allows. Brings the copy's tree up to
  // date with it.
  awaitable<Result<Inventory>> inventory();
  // The same, without a change of the copy: for verify.
  awaitable<Result<Inventory>> observe_source();
  // Connections may be made again after close(): for a look at the source once it is no longer the authority.
  void reopen() { link_.reopen(); }
  // While clients wait for a job (a freeze), it is served like a session.
  void set_urgent(bool yes) { urgent_ = yes; }
  // Whether what the source says may change the copy: only while it is the authority (I6). Taking it away breaks every
  // connection at once, so that nothing asked before can be applied after.
  void set_authoritative(bool yes);
  // Whether the mailbox cannot have changed since its cursor: by its numbers, else by a listing's digest. Pipelined:
  // the results correspond to `names`.
  awaitable<Result<std::vector<bool>>> unchanged(const std::vector<SourceMailbox>& mailboxes);

  struct Filled {
    wire::base::MailboxKey key;
    ImportCounts counts;
    std::vector<ContentOutcome::Failed> failed;
  };
  // Told after every batch: what this mailbox has so far.
  using OnCounts = std::function<void(const ImportCounts&)>;
  // Lists what is new and brings in every body that the copy lacks. EXAMINE; leaves no trace at the source.
  awaitable<Result<Filled>> fill(std::string name, OnCounts on_counts);

  // The bytes of these messages, where the source still has exactly those that the names say; others are left out.
  // EXAMINE; changes nothing in the copy, and works whoever the authority is.
  awaitable<Result<std::vector<WantedBody>>> fetch_exact(std::string name, UidValidity validity,
                                                         std::map<Uid, storage::Sha256> wanted);

  // Whether the copy holds every body of that mailbox's messages.
  bool has_all_content(const std::string& name) const;

  awaitable<Result<UpstreamLink::Lease>> lease() { return link_.any(job_use()); }
  // A fresh EXAMINE on a free connection, for verify.
  struct Examined {
    UpstreamLink::Lease lease;
    imapc::Selected numbers;
    Examined(UpstreamLink::Lease l, imapc::Selected n) : lease(std::move(l)), numbers(std::move(n)) {}
  };
  awaitable<Result<Examined>> examine(std::string name);
  uint64_t commands_sent() const { return link_.commands_sent(); }

 private:
  struct Selecting {
    std::optional<imapc::Call<imapc::StatusData>> status;
    imapc::Call<imapc::Selected> select;
    bool examine;
    Uid uid_next;
    Selecting(std::optional<imapc::Call<imapc::StatusData>> s, imapc::Call<imapc::Selected> c, bool e)
        : status(std::move(s)), select(std::move(c)), examine(e) {}
  };
  struct Options {
    bool writable = false;
    const ApplyQueue::Ticket* behind = nullptr;  // the own write that was sent just before on this connection
  };
  // One observation of a mailbox at a time, and no own write beside it.
  class MailboxLock {
   public:
    MailboxLock(UpstreamAuthority* owner, wire::base::MailboxKey key) : owner_(owner), key_(key) {}
    MailboxLock(MailboxLock&& o) noexcept : owner_(std::exchange(o.owner_, nullptr)), key_(o.key_) {}
    MailboxLock& operator=(MailboxLock&&) = delete;
    ~MailboxLock() {
      if (owner_) owner_->unlock_mailbox(key_);
    }

   private:
    UpstreamAuthority* owner_;
    wire::base::MailboxKey key_;
  };
  // The mailbox's applied snapshot, or Errc::not_found: others may delete it during any await.
  Result<MailboxSnapshotPtr> still_there(wire::base::MailboxKey key) const;
  awaitable<Result<std::unique_ptr<imapc::Connection>>> connect();
  wire::imap::cmd::Fetch flag_listing(const imapc::Connection& c, wire::imap::SequenceSet set) const;
  awaitable<MailboxLock> lock_mailbox(wire::base::MailboxKey key);
  void unlock_mailbox(wire::base::MailboxKey key);
  static bool is_broken(const storage::Failure& f);

  // The tree (upstream_tree.cpp).
  awaitable<Result<void>> learn_namespaces(imapc::Connection& c);
  awaitable<Result<Inventory>> list(imapc::Connection& c, bool with_status);
  TreePlan plan_for(const Inventory& seen) const;
  Result<void> apply_tree(const Inventory& seen);
  awaitable<Result<Inventory>> observe_tree(bool with_status, UpstreamLink::Use use);

  awaitable<Result<void>> leave(UpstreamLink::Lease& lease, std::string name);

  // The ladder (upstream_ladder.cpp). Callers hold the mailbox's lock, taken before the lease.
  awaitable<Result<storage::MailboxInfo>> known_mailbox(std::string name);
  Selecting start_select(UpstreamLink::Lease& lease, const std::string& name, wire::imap::cmd::Select request);
  awaitable<Result<imapc::Selected>> finish_select(UpstreamLink::Lease& lease, std::string name, Selecting& selecting);
  Result<void> note_mailbox_id(const std::string& name, const imapc::Selected& now);
  awaitable<Result<bool>> same_identity(UpstreamLink::Lease& lease, storage::MailboxInfo info, imapc::Selected& now);
  Result<void> adopt(const storage::MailboxInfo& info, const imapc::Selected& now);
  awaitable<Result<void>> expunge_missing(UpstreamLink::Lease& lease, Importer& in, wire::base::MailboxKey key,
                                          ModSeq modseq);
  awaitable<Result<void>> list_all(UpstreamLink::Lease& lease, Importer& in, wire::base::MailboxKey key, ModSeq modseq);
  awaitable<Result<Filled>> climb(UpstreamLink::Lease& lease, storage::MailboxInfo info, Options options);
  awaitable<Result<wire::base::MailboxKey>> refresh_once(storage::MailboxInfo info, bool writable);
  static storage::SyncCursor cursor_of(const imapc::Selected& now);

  // Content (upstream_content.cpp).
  UpstreamLink::Use job_use() const { return urgent_ ? UpstreamLink::Use::session : UpstreamLink::Use::migration; }
  awaitable<Result<UpstreamLink::Lease>> selected(storage::MailboxInfo info, bool writable,
                                                  UpstreamLink::Use use = UpstreamLink::Use::session);
  awaitable<Result<std::vector<ContentOutcome::Failed>>> fetch_bodies(UpstreamLink::Lease& lease, Importer& in,
                                                                      UidSet uids, OnCounts on_counts);
  class ContentClaim;
  awaitable<Result<void>> bring_content(storage::MailboxInfo info, UidSet wanted, ContentOutcome& out);
  awaitable<Result<void>> fill_first(storage::MailboxInfo info, Filled& out, OnCounts on_counts);
  awaitable<Result<void>> fill_content(Filled& out, OnCounts on_counts);

  // Writing through (upstream_writes.cpp).
  awaitable<Result<UidSet>> gone_after(UpstreamLink::Lease& lease, storage::MailboxInfo info, UidSet doomed,
                                       const ApplyQueue::Ticket& ticket);
  awaitable<Result<std::optional<AppendOutcome>>> find_appended(std::string name, Uid from, storage::Sha256 content,
                                                                uint64_t size);

  // IDLE (upstream_authority.cpp).
  struct WatchToken {  // held by the session in IDLE
    std::weak_ptr<UpstreamAuthority> owner;
    explicit WatchToken(std::weak_ptr<UpstreamAuthority> o) : owner(std::move(o)) {}
    ~WatchToken();
  };
  awaitable<void> watch_loop(std::weak_ptr<Mailbox> box, std::weak_ptr<WatchToken> token);
  static awaitable<void> end_of_watch(std::shared_ptr<UpstreamAuthority> self, std::weak_ptr<WatchToken> token,
                                      imapc::Connection* connection);

  Copy& copy_;
  Services& services_;
  asio::any_io_executor core_;
  const config::Upstream& upstream_;
  std::string user_;
  std::string login_password_;
  UpstreamLink link_;
  ApplyQueue queue_;
  HeaderCache headers_{1 << 20};
  wire::net::TaskGroup tasks_;
  wire::net::Event content_done_;
  std::set<wire::base::MailboxKey> content_busy_;  // bodies of these are being fetched
  std::set<wire::base::MailboxKey> locked_;
  wire::net::Event unlocked_;
  wire::net::Event watch_ended_;
  quirks::Profile profile_;  // of the server that the last connection met
  std::vector<std::string_view> distrusted_;
  std::optional<std::string> prefix_;
  Namespaces namespaces_;
  std::set<std::pair<wire::base::MailboxKey, Uid>> claimed_;  // what an APPEND of ours has been matched with
  bool select_tells_uid_next_ = true;
  bool examine_keeps_uid_validity_ = true;
  bool authoritative_ = true;
  bool urgent_ = false;
};

}  // namespace gateway::source
