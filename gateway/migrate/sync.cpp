// Brings the copy up to date with its source: the first run seeds, later ones ask O(mailboxes) questions and transfer
// what changed.

#include <chrono>

#include "gateway/migrate/job.h"
#include "gateway/migrate/jobs.h"
#include "gateway/source/upstream_authority.h"
#include "gateway/source/user_account.h"
#include "wire/net/pool.h"

namespace gateway::migrate {

using source::SourceMailbox;
using source::UpstreamAuthority;
using source::UserAccountPtr;
using storage::Errc;
using storage::Failure;
using wire::net::run_on_pool;

namespace {

constexpr std::chrono::milliseconds progress_interval{200};

}  // namespace

// The reading of the source that sync, cutover and the freeze share. On the account's core.
awaitable<Result<SyncReport>> bring_up_to_date(UserAccountPtr account, OnProgress progress) {
  SyncReport report;
  report.user = account->user();
  const auto start = std::chrono::steady_clock::now();
  UpstreamAuthority& source = *account->source();
  const uint64_t commands_before = source.commands_sent();
  auto inventory = co_await source.inventory();
  if (!inventory) co_return inventory.error();
  for (const auto& [name, why] : inventory->unreadable) report.failed.push_back({name, 0, why.describe()});
  auto unchanged = co_await source.unchanged(inventory->mailboxes);
  if (!unchanged) co_return unchanged.error();

  Tally tally;
  tally.user = account->user();
  tally.mailboxes_total = inventory->mailboxes.size();
  for (size_t i = 0; i < inventory->mailboxes.size(); ++i) {
    if (!(*unchanged)[i]) tally.messages_total += inventory->mailboxes[i].messages.value_or(0);
  }
  auto last_told = start;
  for (size_t i = 0; i < inventory->mailboxes.size(); ++i) {
    const SourceMailbox& box = inventory->mailboxes[i];
    ++report.mailboxes;
    ++tally.mailboxes;
    if (!box.selectable()) continue;
    tally.mailbox = box.name;
    if ((*unchanged)[i] && source.has_all_content(box.name)) continue;
    const Tally before = tally;
    auto on_counts = [&](const source::ImportCounts& counts) {
      tally.messages = before.messages + std::max(counts.added, counts.bodies);
      tally.bytes = before.bytes + counts.bytes;
      const auto now = std::chrono::steady_clock::now();
      if (!progress || now - last_told < progress_interval) return;
      last_told = now;
      progress(tally);
    };
    UpstreamAuthority::OnCounts counter = on_counts;
    auto filled = co_await source.fill(box.name, counter);
    if (!filled && (filled.error().code == Errc::closed || filled.error().code == Errc::timeout)) {
      filled = co_await source.fill(box.name, counter);  // resumes where the copy is
    }
    if (!filled) {
      // What touches one mailbox stays its own; what touches all ends the run.
      const Errc code = filled.error().code;
      const bool scoped = code == Errc::refused || code == Errc::not_found || code == Errc::conflict ||
                          code == Errc::malformed || code == Errc::unsupported;
      if (!scoped) co_return filled.error();
      report.failed.push_back({box.name, 0, filled.error().describe()});
      continue;
    }
    report.messages += filled->counts.added + filled->counts.changed + filled->counts.expunged;
    report.bodies += filled->counts.bodies;
    report.bytes += filled->counts.bytes;
    for (const auto& f : filled->failed) report.failed.push_back({box.name, f.uid.value, f.why.describe()});
    tally.messages = before.messages + box.messages.value_or(0);
  }
  if (progress) progress(tally);
  report.commands = source.commands_sent() - commands_before;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  co_return report;
}

namespace {

awaitable<Result<SyncReport>> sync_on_core(UserAccountPtr account, OnProgress progress) {
  auto job = Job::begin(account, "sync");
  if (!job) co_return job.error();
  source::Services& services = account->services();
  control::Control* control = &services.control;
  const std::string user = account->user();
  if (account->owner() != source::Owner::upstream) {
    co_return Failure(Errc::refused,
                      "'" + user + "' is not owned by its source any more; there is nothing to bring up to date");
  }
  if (!account->source()) {
    co_return Failure(Errc::usage, "'" + user + "' has no upstream in the configuration");
  }
  if (account->record().state == control::State::added) {
    if (auto ok = co_await move_state(account, control::State::seeding, "first sync"); !ok) co_return ok.error();
  }
  auto report = co_await bring_up_to_date(account, std::move(progress));
  const std::string error =
      report ? (report->failed.empty() ? std::string()
                                       : report->failed.front().mailbox + ": " + report->failed.front().why)
             : report.error().describe();
  auto note = [control, user, error] { return control->set_error(user, error); };
  if (auto ok = co_await run_on_pool(services.blocking, note); !ok) co_return ok.error();
  if (!report) co_return report.error();
  if (report->failed.empty()) {
    if (account->record().state != control::State::tracking) {
      if (auto ok = co_await move_state(account, control::State::tracking, "every mailbox is in the copy"); !ok) {
        co_return ok.error();
      }
    }
    const int64_t when =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    auto stamp = [control, user, when] { return control->set_synced(user, when); };
    if (auto ok = co_await run_on_pool(services.blocking, stamp); !ok) co_return ok.error();
  }
  co_return report;
}

}  // namespace

awaitable<Result<SyncReport>> sync(source::Services& services, std::string user, OnProgress progress) {
  auto job = [=](UserAccountPtr account) { return sync_on_core(account, progress); };
  co_return co_await on_account<SyncReport>(services, std::move(user), job);
}

}  // namespace gateway::migrate
