// Accounts that nobody opens get their maintenance, too: one at a time, opened for it and closed again. What is due is
// in the control database, which knows how far each log has come: no directory is read to find out that nothing is.
#include <algorithm>

#include "gateway/source/maintenance.h"
#include "gateway/source/registry_slot.h"
#include "wire/net/pool.h"

namespace gateway::source {

using wire::net::run_on_pool;

namespace {

constexpr size_t asked_at_once = 64;
constexpr int64_t ask_again = 60'000;         // milliseconds, where nothing was due
constexpr int64_t after_failure = 24 * 3600;  // seconds: it has been warned about
constexpr int64_t while_held = 3600;          // a pin, or somebody who used it meanwhile

std::chrono::seconds seconds_since(int64_t at) { return std::chrono::seconds((Usage::now() - at) / 1000); }

}  // namespace

bool Registry::may_visit_now() {
  VisitFacts facts;
  {
    std::lock_guard lock(mutex_);
    if (closing_) return false;
    facts.job = std::any_of(slots_.begin(), slots_.end(),
                            [](const auto& s) { return s.second->usage && s.second->usage->job; });
  }
  const std::chrono::seconds idle(services_.config.rewrite_idle);
  facts.unused = seconds_since(used_at_);
  if (quiet_at_ == 0 || (!facts.job && facts.unused >= idle)) quiet_at_ = Usage::now();
  facts.unquiet = seconds_since(quiet_at_);
  facts.unvisited = seconds_since(visited_at_);
  return may_visit(facts, idle);
}

awaitable<bool> Registry::visit_one() {
  if (!may_visit_now()) co_return false;
  if (to_visit_.empty()) {
    if (asked_at_ != 0 &&
        Usage::now() - asked_at_ < std::min<int64_t>(ask_again, 1000 * services_.config.visit_unopened)) {
      co_return false;
    }
    control::Control* control = &services_.control;
    const int64_t now = services_.env.now(), again = services_.config.visit_unopened;
    auto ask = [control, now, again] { return control->due_for_visit(now, again, asked_at_once); };
    auto due = co_await run_on_pool(services_.blocking, ask);
    asked_at_ = Usage::now();
    if (!due || due->empty()) co_return false;
    to_visit_ = std::move(*due);
    std::reverse(to_visit_.begin(), to_visit_.end());
    asked_at_ = 0;  // there may be more
  }
  while (!to_visit_.empty()) {
    std::shared_ptr<Slot> slot = slot_of(to_visit_.back());
    to_visit_.pop_back();
    awaitable<bool> there = visit_on_core(slot);
    const bool visited = co_await asio::co_spawn(slot->core, std::move(there), asio::use_awaitable);
    visited_at_ = Usage::now();
    if (visited) co_return true;
  }
  co_return false;
}

// False: somebody has it open, so that it gets its maintenance anyway.
awaitable<bool> Registry::visit_on_core(std::shared_ptr<Slot> slot) {
  const int64_t start = services_.env.now();
  if (slot->opening || slot->account) {
    const control::Visit not_now{storage::Lsn(0), start, 0};
    co_await note_visit(slot->user, not_now);
    co_return false;
  }
  control::Control* control = &services_.control;
  const std::string name = slot->user;
  control::Visit visit;
  std::string no_password;
  auto account = co_await open_on_core(slot, std::move(no_password), false);
  if (account) {
    const uint64_t opens = (*account)->opens();
    auto done = co_await (*account)->give_back(services_.config.rewrite_share, true);
    const bool failed = !done && done.error().code != storage::Errc::unavailable;
    if (failed) services_.warn(name, "the store could not be maintained: " + done.error().describe());
    visit.due = (*account)->the_copy().leftover_due().value_or(0);
    if (failed) visit.due = start + after_failure;
    if (!failed && (!done || *done == RewriteOutcome::later)) visit.due = start + while_held;
    account = storage::Failure(storage::Errc::closed, "");  // our own hold on it ends here
    co_await close_unused_on_core(slot, opens, std::chrono::milliseconds(0));
  } else {
    visit.due = start + after_failure;
  }
  auto look = [control, name] { return control->log_lease(name); };
  auto lease = co_await run_on_pool(services_.blocking, look);
  if (lease && *lease && !slot->account) visit.seen = (*lease)->used;
  visit.at = services_.env.now();
  co_await note_visit(name, visit);
  co_return true;
}

awaitable<void> Registry::note_visit(std::string user, control::Visit visit) {
  control::Control* control = &services_.control;
  auto note = [control, user, visit] { return control->note_visit(user, visit); };
  auto done = co_await run_on_pool(services_.blocking, note);
  // Then it comes up again soon, which costs a look.
  if (!done) services_.warn(user, "the control database could not be written: " + done.error().describe());
}

}  // namespace gateway::source
