// One user's mail as sessions and jobs see it: always the copy, whoever has the authority (design 1, 5).
//
// Lives on one core (an io_context with one thread): every function is called there, every awaitable resumes there.
// A MailAccount outlives its sessions and jobs: they hold a shared_ptr. Nothing it shows is less than durable.
//
// Two authorities stand behind it (gateway/source/authority.h): the upstream, through imapc, or the store itself.
// A hand-over swaps them; views, sequence numbers and watchers stay.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/control/control.h"
#include "gateway/source/mailbox.h"
#include "storage/account.h"
#include "storage/derived.h"
#include "wire/imap/namespace_data.h"
#include "wire/net/asio.h"

namespace gateway::source {

using control::Owner;

// What happens to the account as a whole; told to every session on its core.
class AccountWatcher {
 public:
  virtual ~AccountWatcher() = default;
  virtual void on_handed_over() {}                           // owner changed; nothing a client holds has
  virtual void on_must_leave(const std::string& /*why*/) {}  // kick, shutdown: say BYE and go
};

class MailAccount : public std::enable_shared_from_this<MailAccount> {
 public:
  virtual ~MailAccount() = default;

  virtual const std::string& user() const = 0;  // canonical
  virtual asio::any_io_executor executor() const = 0;
  virtual Owner owner() const = 0;
  virtual wire::base::Epoch epoch() const = 0;

  virtual void add_watcher(AccountWatcher* w) = 0;
  virtual void remove_watcher(AccountWatcher* w) = 0;

  // --- names. Names are octets as the client sends and sees them; gateway/source/names.h is the one place that maps.
  // The mailboxes and subscriptions, brought up to date with the owner first (one round trip upstream at most).
  virtual awaitable<Result<storage::MailboxTreePtr>> tree() = 0;
  virtual char separator() const = 0;             // of the personal namespace
  virtual const std::string& prefix() const = 0;  // of the personal namespace: "", "INBOX."
  // Those of others too, while an owner upstream lets the user see into them. Known once tree() has returned.
  virtual wire::imap::NamespaceData namespaces() const {
    wire::imap::NamespaceData data;
    data.personal.push_back({prefix(), separator()});
    return data;
  }

  virtual awaitable<Result<void>> create(std::string name, std::vector<std::string> special_use) = 0;
  virtual awaitable<Result<void>> remove(std::string name) = 0;
  virtual awaitable<Result<void>> rename(std::string from, std::string to) = 0;
  virtual awaitable<Result<void>> subscribe(std::string name, bool on) = 0;

  // --- one mailbox
  // Brought up to date first. `writable`: SELECT, else EXAMINE or STATUS.
  virtual awaitable<Result<MailboxPtr>> open(std::string name, bool writable) = 0;
  // Asks the owner what is new (NOOP, CHECK, a poll while IDLE); publishes to watchers. Costs nothing when local.
  virtual awaitable<Result<void>> refresh(MailboxPtr box) = 0;
  // While a session is in IDLE: the owner's changes arrive by themselves until the token is dropped.
  virtual std::shared_ptr<void> watch_owner(MailboxPtr box) = 0;
  // A SELECT, or new messages shown to one: they are \Recent from the returned UID on, for this session alone. Moves
  // first_recent to UIDNEXT, without a sync.
  virtual Uid claim_recent(MailboxPtr box) = 0;

  // The numbers a STATUS gives, brought up to date first.
  // `with_size`: also the messages' sizes, each of which is looked up.
  virtual awaitable<Result<MailboxStatus>> status(std::string name, bool with_size) = 0;
  // Of many, asked of the owner together; the results correspond to the names.
  virtual awaitable<std::vector<Result<MailboxStatus>>> status_of(std::vector<std::string> names, bool with_size) = 0;

  // --- changes; each returns when the owner has it and it is durable here. Errc::unavailable while frozen for too
  // long.
  virtual awaitable<Result<StoreOutcome>> store(MailboxPtr box, UidSet uids, FlagChange change,
                                                std::optional<ModSeq> unchanged_since) = 0;
  // The \Seen that a FETCH of a body implies. Never waits for a freeze: queued for the coming owner.
  virtual awaitable<Result<void>> mark_seen(MailboxPtr box, UidSet uids) = 0;
  virtual awaitable<Result<UidSet>> expunge(MailboxPtr box, std::optional<UidSet> only) = 0;  // the UIDs that went
  virtual awaitable<Result<CopyOutcome>> copy(MailboxPtr from, UidSet uids, std::string to, bool move) = 0;
  virtual awaitable<Result<AppendOutcome>> append(std::string name, AppendItem item) = 0;

  // --- content
  storage::BodyWriter new_body() { return store_for_bodies().new_body(); }
  // Brings the content of these messages into the copy, pipelined. Those that the owner cannot give are in `failed`,
  // each with its own reason: one message's problem stays its own.
  virtual awaitable<Result<ContentOutcome>> ensure_content(MailboxPtr box, UidSet uids) = 0;
  // The headers of messages whose content is not in the copy, without bringing that: for ENVELOPE and the like.
  virtual awaitable<Result<HeaderOutcome>> headers(MailboxPtr box, UidSet uids) = 0;
  // A message that ensure_content() brought. Blocking reads: use it on the pool, or for small ones on the core.
  virtual Result<storage::BodyReader> open_body(const storage::Sha256& name) const = 0;
  // What is worked out of messages already (gateway/derived/content.h); null: nothing is kept.
  virtual awaitable<std::shared_ptr<storage::DerivedData>> derived() {
    co_return std::shared_ptr<storage::DerivedData>();
  }
  // Entries of this mailbox's messages were missing: they are made in the background.
  virtual void want_derived(const MailboxPtr& /*box*/) {}

 protected:
  virtual storage::Account& store_for_bodies() = 0;
};

using MailAccountPtr = std::shared_ptr<MailAccount>;

}  // namespace gateway::source
