// The copy is the authority: an account after its cutover, or one that was local from the start.
#pragma once

#include "gateway/source/authority.h"

namespace gateway::source {

class LocalAuthority final : public Authority {
 public:
  // `copy` outlives it. `separator`: for mailboxes made from now on.
  LocalAuthority(Copy& copy, char separator) : copy_(copy), separator_(separator) {}

  awaitable<Result<void>> refresh_tree() override;
  awaitable<Result<void>> create(std::string name, std::vector<std::string> special_use) override;
  awaitable<Result<void>> remove(std::string name) override;
  awaitable<Result<void>> rename(std::string from, std::string to) override;
  awaitable<Result<void>> subscribe(std::string name, bool on) override;
  awaitable<Result<wire::base::MailboxKey>> refresh(std::string name, bool writable) override;
  std::shared_ptr<void> watch(MailboxPtr) override { return nullptr; }
  awaitable<Result<StoreOutcome>> store(MailboxPtr box, UidSet uids, FlagChange change,
                                        std::optional<ModSeq> unchanged_since) override;
  awaitable<Result<UidSet>> expunge(MailboxPtr box, std::optional<UidSet> only) override;
  awaitable<Result<CopyOutcome>> copy(MailboxPtr from, UidSet uids, std::string to, bool move) override;
  awaitable<Result<AppendOutcome>> append(std::string name, AppendItem item) override;
  awaitable<Result<ContentOutcome>> ensure_content(MailboxPtr box, UidSet uids) override;
  awaitable<Result<HeaderOutcome>> headers(MailboxPtr box, UidSet uids) override;
  awaitable<Result<std::vector<bool>>> up_to_date(std::vector<std::string> names) override;
  awaitable<void> close() override;

 private:
  Result<storage::MailboxInfo> selectable(const std::string& name) const;
  Result<void> create_parents(storage::Batch& batch, const std::string& name);
  awaitable<Result<void>> rename_inbox(std::string to);

  Copy& copy_;
  char separator_;
};

}  // namespace gateway::source
