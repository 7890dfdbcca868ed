// UserAccount's part of maintenance: what it knows of itself, and what is done by it.
#include "gateway/source/maintenance.h"
#include "gateway/source/user_account.h"

namespace gateway::source {

using storage::Errc;

awaitable<void> UserAccount::maintain() {
  copy_.store().rest();
  const storage::Lsn now = copy_.store().appended();
  MaintenanceFacts facts;
  facts.frames_since = now.value - maintained_.value_or(opened_at_).value;
  facts.tried = maintained_.has_value();
  facts.more = maintain_again_;
  facts.since = std::chrono::seconds((Usage::now() - maintained_at_) / 1000);
  facts.idle = std::chrono::seconds((Usage::now() - usage_->last) / 1000);
  facts.busy = job_ || closed_ || copy_.store().failed();
  facts.leftover = copy_.leftover(services_.env.now());
  facts.tail = copy_.checkpoint_owed() ? UINT64_MAX : copy_.store().tail();
  const config::Config& config = services_.config;
  MaintenanceDue due = maintenance_due(facts, std::chrono::seconds(config.rewrite_idle));
  const storage::RetireOptions retire{config.replaced_linger, config.replaced_keep};
  Result<void> ok;
  if (due.rewrite && config.rewrite_share != 0) {
    maintained_ = now;
    maintained_at_ = Usage::now();
    auto done = co_await copy_.rewrite(config.rewrite_share, retire);
    maintain_again_ = done && *done != RewriteOutcome::nothing;
    due.tidy = false;
    if (!done) ok = done.error();
  }
  if (ok && due.tidy && !closed_) ok = co_await copy_.tidy(retire);
  if (ok && due.checkpoint && !closed_) ok = co_await copy_.checkpoint();
  if (!ok && ok.error().code != Errc::unavailable) {
    services_.warn(user_.name, "the store could not be maintained: " + ok.error().describe());
  }
}

awaitable<Result<RewriteOutcome>> UserAccount::give_back(uint32_t share, bool unused) {
  const config::Config& config = services_.config;
  const storage::RetireOptions retire{config.replaced_linger, config.replaced_keep};
  for (;;) {
    if (closed_ || copy_.store().failed() || (unused && usage_->busy != 0)) co_return RewriteOutcome::later;
    auto done = co_await copy_.rewrite(share, retire);
    if (!done || *done != RewriteOutcome::gained) co_return done;
  }
}

}  // namespace gateway::source
