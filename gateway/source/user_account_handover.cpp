// UserAccount while its owner changes: writes held, the new owner, what waited.
#include "gateway/source/upstream_authority.h"
#include "gateway/source/user_account.h"

namespace gateway::source {

using storage::Batch;
using storage::MailboxInfo;

awaitable<bool> UserAccount::freeze(control::State state, control::Placement placement,
                                    std::chrono::milliseconds patience) {
  user_.state = state;
  user_.placement = placement;
  gate_.shut();
  if (source_) source_->set_urgent(true);
  co_return co_await gate_.drained(patience);
}

awaitable<bool> UserAccount::hold_writes(std::chrono::milliseconds patience) {
  gate_.shut();
  co_return co_await gate_.drained(patience);
}

awaitable<Result<void>> UserAccount::settle(control::State state, control::Placement placement) {
  const Owner before = user_.placement.owner;
  // First of all: nothing that was asked of the old owner may be applied from here on (I6).
  if (source_) {
    source_->set_authoritative(placement.owner != Owner::local);
    source_->set_urgent(false);
  }
  if (placement.epoch > copy_.store().epoch()) {
    if (auto ok = copy_.store().raise_epoch(placement.epoch); !ok) co_return ok.error();
  }
  if (placement.owner == Owner::local) {
    // From here on the numbers are ours, starting above all that was shown (design 1, MODSEQ mode).
    Batch batch = copy_.store().begin();
    storage::MailboxTreePtr tree = copy_.store().tree();
    for (const MailboxInfo& m : tree->mailboxes) {
      if (m.mode == storage::ModSeqMode::own || (m.attributes & storage::foreign) != 0) continue;
      storage::MailboxChange change;
      change.mode = storage::ModSeqMode::own;
      if (auto ok = batch.change_mailbox(m.key, change); !ok) co_return ok.error();
    }
    if (!batch.empty()) {
      if (auto ok = copy_.apply(std::move(batch)); !ok) co_return ok.error();
    }
  }
  if (auto ok = co_await copy_.durable(copy_.store().appended()); !ok) co_return ok.error();
  user_.state = state;
  user_.placement = placement;
  choose_authority();
  auto deferred = co_await write_deferred_seen();
  if (placement.owner != before) {
    auto watchers = watchers_;
    for (AccountWatcher* w : watchers) w->on_handed_over();
  }
  if (placement.owner == Owner::local && source_) co_await source_->close();
  // A \\Seen that cannot be written is no reason to call the change of owner failed.
  if (!deferred)
    services_.warn(user_.name, "a message read during the move stays unread: " + deferred.error().describe());
  co_return Result<void>();
}

awaitable<Result<void>> UserAccount::write_deferred_seen() {
  Result<void> outcome;
  auto deferred = std::exchange(deferred_seen_, {});
  for (auto& [box, uids] : deferred) {
    if (box->gone()) continue;
    if (auto ok = co_await mark_seen(box, uids); !ok && outcome) outcome = ok;
  }
  co_return outcome;
}

}  // namespace gateway::source
