// Who has the last word on an account's mail: its old server (UpstreamAuthority) or the copy itself (LocalAuthority).
// Everything that differs between an adaptor and a mail store is behind this interface; sessions never see it.
//
// On the account's core. An operation holds a shared_ptr while it runs, so a hand-over may swap the account's authority
// under it; writes are drained before (MailAccount).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/source/copy.h"
#include "gateway/source/mailbox.h"

namespace gateway::source {

class Authority {
 public:
  virtual ~Authority() = default;

  virtual awaitable<Result<void>> refresh_tree() = 0;
  virtual awaitable<Result<void>> create(std::string name, std::vector<std::string> special_use) = 0;
  virtual awaitable<Result<void>> remove(std::string name) = 0;
  virtual awaitable<Result<void>> rename(std::string from, std::string to) = 0;
  virtual awaitable<Result<void>> subscribe(std::string name, bool on) = 0;

  // Brings the mailbox up to date in the copy (the ladder, design 1). Errc::not_found: the owner has none of that name.
  virtual awaitable<Result<wire::base::MailboxKey>> refresh(std::string name, bool writable) = 0;
  virtual std::shared_ptr<void> watch(MailboxPtr box) = 0;

  virtual awaitable<Result<StoreOutcome>> store(MailboxPtr box, UidSet uids, FlagChange change,
                                                std::optional<ModSeq> unchanged_since) = 0;
  virtual awaitable<Result<UidSet>> expunge(MailboxPtr box, std::optional<UidSet> only) = 0;
  virtual awaitable<Result<CopyOutcome>> copy(MailboxPtr from, UidSet uids, std::string to, bool move) = 0;
  virtual awaitable<Result<AppendOutcome>> append(std::string name, AppendItem item) = 0;
  virtual awaitable<Result<ContentOutcome>> ensure_content(MailboxPtr box, UidSet uids) = 0;
  // Headers alone, of messages whose content is not in the copy. None: the content is to be asked for.
  virtual awaitable<Result<HeaderOutcome>> headers(MailboxPtr box, UidSet uids) = 0;
  // Which of these mailboxes are in the copy as the owner has them now; as few round trips as can be.
  virtual awaitable<Result<std::vector<bool>>> up_to_date(std::vector<std::string> names) = 0;

  // Ends connections and background tasks. Idempotent.
  virtual awaitable<void> close() = 0;
};

using AuthorityPtr = std::shared_ptr<Authority>;

}  // namespace gateway::source
