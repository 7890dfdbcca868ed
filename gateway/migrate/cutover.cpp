// Freeze, final delta, verify, commit; and the way back (research: user states U5 to U8; docs/migration.md).

#include <algorithm>
#include <chrono>

#include "gateway/migrate/evidence.h"
#include "gateway/migrate/inventory.h"
#include "gateway/migrate/job.h"
#include "gateway/migrate/jobs.h"
#include "gateway/source/upstream_authority.h"
#include "gateway/source/user_account.h"
#include "wire/base/fault_point.h"
#include "wire/net/deadline.h"

namespace gateway::migrate {

using source::UserAccountPtr;
using std::chrono::steady_clock;
using storage::Errc;
using storage::Failure;

namespace {

// Clients wait no longer than this for their writes; the freeze thaws before (migration: freeze budget).
constexpr std::chrono::seconds freeze_budget{30};
constexpr std::chrono::seconds drain_budget{10};

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// What the copy would be wrong in, in words.
std::vector<std::string> differences(const VerifyReport& report) {
  std::vector<std::string> out;
  for (const auto& m : report.mailboxes) {
    for (const std::string& example : m.examples) out.push_back("'" + m.name + "' " + example);
    if (!m.equal && m.examples.empty()) out.push_back("'" + m.name + "' differs from the source");
  }
  if (!report.subscriptions_equal) out.push_back("the subscriptions differ from the source");
  return out;
}

awaitable<Result<void>> thaw(UserAccountPtr account, std::string why) {
  control::Placement back = account->record().placement;
  back.owner = source::Owner::upstream;
  back.epoch = back.epoch.next();
  back.freeze_deadline = 0;
  if (auto ok = co_await move_placement(account, control::State::tracking, back, why, std::string()); !ok) {
    co_return ok.error();
  }
  co_return co_await account->settle(control::State::tracking, back);
}

// Between freeze and commit. The reasons why not; empty: everything of the source is in the copy.
awaitable<Result<std::vector<std::string>>> final_delta(UserAccountPtr account, OnProgress progress) {
  auto delta = co_await bring_up_to_date(account, progress);
  if (!delta) co_return delta.error();
  std::vector<std::string> reasons;
  for (const auto& f : delta->failed) {
    reasons.push_back("'" + f.mailbox + "' uid " + std::to_string(f.uid) + " cannot be read from the source: " + f.why);
  }
  if (!reasons.empty()) co_return reasons;
  auto compared = co_await compare_with_source(account, false, progress);
  if (!compared) co_return compared.error();
  if (!compared->equal) co_return differences(*compared);
  const auto tree = account->the_copy().store().tree();
  for (const storage::MailboxInfo& m : tree->mailboxes) {
    if ((m.attributes & storage::foreign) != 0) continue;
    if (!account->source()->has_all_content(m.name))
      reasons.push_back("'" + m.name + "' lacks the content of a message");
  }
  co_return reasons;
}

awaitable<Result<CutoverReport>> freeze_and_commit(UserAccountPtr account, CutoverReport report, OnProgress progress) {
  const auto start = steady_clock::now();
  control::Placement frozen = account->record().placement;
  frozen.owner = source::Owner::frozen;
  frozen.epoch = frozen.epoch.next();
  frozen.freeze_deadline = unix_seconds() + freeze_budget.count();
  if (auto ok = co_await move_placement(account, control::State::freezing, frozen, "cutover", std::string()); !ok) {
    co_return ok.error();
  }
  wire::base::fault_point("frozen");
  const bool drained = co_await account->freeze(control::State::freezing, frozen, drain_budget);
  std::vector<std::string> reasons;
  std::optional<Failure> failure;
  if (!drained) {
    reasons.push_back("a client's command was still under way after 10 s; try again");
  } else {
    const auto left = freeze_budget - (steady_clock::now() - start);
    const auto budget = std::chrono::duration_cast<wire::net::Timeout>(left);
    awaitable<Result<std::vector<std::string>>> work = final_delta(account, progress);
    auto delta = co_await wire::net::with_deadline(budget, std::move(work));
    if (!delta) {
      failure = delta.error();
    } else {
      reasons = std::move(*delta);
    }
  }
  if (!failure && reasons.empty() && steady_clock::now() - start > freeze_budget) {
    reasons.push_back(
        "the final delta took longer than the freeze may last (30 s); sync again shortly before the cutover");
  }
  const auto frozen_for = [&] {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - start).count());
  };
  if (failure || !reasons.empty()) {
    // Named first: g++ 12 destroys a ternary's temporary wrongly inside a co_await expression.
    std::string why = reasons.empty() ? std::string() : reasons.front();
    if (failure) why = failure->describe();
    auto thawed = co_await thaw(account, std::move(why));
    if (!thawed) {
      // Nobody may be left waiting: the next opening reads the placement, and thaws what it finds frozen.
      (void)co_await account->close("the move was interrupted; please reconnect");
      co_return thawed.error();
    }
    if (failure) co_return *failure;
    report.refused = std::move(reasons);
    report.freeze_ms = frozen_for();
    report.epoch = account->epoch().value;
    co_return report;
  }
  control::Placement local = frozen;
  local.owner = source::Owner::local;
  local.epoch = frozen.epoch.next();
  local.freeze_deadline = 0;
  wire::base::fault_point("before-commit");
  std::string evidence = commit_evidence(account->the_copy().store());
  auto committed = co_await move_placement(account, control::State::committed, local, "cutover", evidence);
  if (!committed) {
    // Whether the swap happened is not known: close the account, so that the next opening reads the truth (I2).
    (void)co_await account->close("the placement is being read again; please reconnect");
    co_return committed.error();
  }
  wire::base::fault_point("commit");
  account->set_commit_evidence(std::move(evidence));
  if (auto ok = co_await account->settle(control::State::committed, local); !ok) {
    // The commit stands (decision 4); opening the account again finishes it.
    (void)co_await account->close("the account was moved; please reconnect");
    co_return ok.error();
  }
  report.committed = true;
  report.freeze_ms = frozen_for();
  report.epoch = local.epoch.value;
  co_return report;
}

awaitable<Result<CutoverReport>> cutover_on_core(UserAccountPtr account, std::vector<std::string> accept,
                                                 OnProgress progress) {
  auto job = Job::begin(account, "cutover");
  if (!job) co_return job.error();
  CutoverReport report;
  report.user = account->user();
  report.epoch = account->epoch().value;
  if (account->owner() == source::Owner::local) {
    report.refused.push_back("'" + report.user + "' is served from the local store already");
    co_return report;
  }
  if (!account->source()) {
    co_return Failure(Errc::usage, "'" + report.user + "' has no upstream in the configuration");
  }
  // Most of the work is done before anybody has to wait for it.
  auto ahead = co_await bring_up_to_date(account, progress);
  if (!ahead) co_return ahead.error();
  for (const auto& f : ahead->failed) {
    report.refused.push_back("'" + f.mailbox + "' uid " + std::to_string(f.uid) +
                             " cannot be read from the source: " + f.why);
  }
  auto held_back = co_await not_carried(account);
  if (!held_back) co_return held_back.error();
  report.not_known = std::move(held_back->not_known);
  for (const Uncarried& item : held_back->held_back) {
    if (std::find(accept.begin(), accept.end(), item.kind) != accept.end()) continue;
    report.refused.push_back(item.what + "; it is not carried: accept its loss with --accept " + item.kind);
  }
  if (auto why = co_await not_the_user(account)) report.refused.push_back(*why);
  if (auto why = co_await could_not_log_in(account)) report.refused.push_back(*why);
  if (!report.refused.empty()) co_return report;
  if (account->record().state != control::State::tracking) {
    if (auto ok = co_await move_state(account, control::State::tracking, "every mailbox is in the copy"); !ok) {
      co_return ok.error();
    }
  }
  co_return co_await freeze_and_commit(account, std::move(report), std::move(progress));
}

awaitable<Result<RollbackReport>> rollback_on_core(UserAccountPtr account, bool do_it) {
  RollbackReport report;
  report.user = account->user();
  if (account->owner() != source::Owner::local || !account->source()) {
    report.cannot.push_back("'" + report.user + "' was not cut over: there is nothing to roll back");
    co_return report;
  }
  auto changed = changed_since_commit(account->record().commit_evidence, account->the_copy().store());
  if (!changed) co_return changed.error();
  report.cannot = std::move(*changed);
  if (!report.cannot.empty() || !do_it) co_return report;
  auto job = Job::begin(account, "rollback");
  if (!job) co_return job.error();
  // Writes wait, the placement stays: a crash here leaves the account local, as it was.
  const bool drained = co_await account->hold_writes(drain_budget);
  changed = changed_since_commit(account->record().commit_evidence, account->the_copy().store());
  if (!drained || !changed || !changed->empty()) {
    if (auto ok = co_await account->settle(account->record().state, account->record().placement); !ok) {
      co_return ok.error();
    }
    if (!changed) co_return changed.error();
    report.cannot = std::move(*changed);
    if (!drained) report.cannot.push_back("a client's command was still under way after 10 s; try again");
    co_return report;
  }
  control::Placement upstream = account->record().placement;
  upstream.owner = source::Owner::upstream;
  upstream.epoch = upstream.epoch.next();
  auto moved = co_await move_placement(account, control::State::tracking, upstream, "rollback", std::string());
  if (!moved) {
    (void)co_await account->close("the placement is being read again; please reconnect");
    co_return moved.error();
  }
  account->source()->reopen();
  if (auto ok = co_await account->settle(control::State::tracking, upstream); !ok) {
    (void)co_await account->close("the account was moved back; please reconnect");
    co_return ok.error();
  }
  report.done = true;
  co_return report;
}

}  // namespace

awaitable<Result<CutoverReport>> cutover(source::Services& services, std::string user, std::vector<std::string> accept,
                                         OnProgress progress) {
  auto job = [=](UserAccountPtr account) { return cutover_on_core(account, accept, progress); };
  co_return co_await on_account<CutoverReport>(services, std::move(user), job);
}

awaitable<Result<RollbackReport>> rollback(source::Services& services, std::string user) {
  auto job = [=](UserAccountPtr account) { return rollback_on_core(account, true); };
  co_return co_await on_account<RollbackReport>(services, std::move(user), job);
}

awaitable<Result<RollbackReport>> rollback_check(source::Services& services, std::string user) {
  auto job = [=](UserAccountPtr account) { return rollback_on_core(account, false); };
  co_return co_await on_account<RollbackReport>(services, std::move(user), job);
}

}  // namespace gateway::migrate
