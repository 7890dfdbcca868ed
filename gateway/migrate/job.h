// What the jobs of gateway/migrate share. On the account's core.
#pragma once

#include <string>

#include "gateway/migrate/jobs.h"
#include "gateway/source/registry.h"
#include "gateway/source/user_account.h"

namespace gateway::migrate {

// One job an account at a time; ends when destroyed.
class Job {
 public:
  // Errc::unavailable: another one runs.
  static Result<Job> begin(source::UserAccountPtr account, const char* what);
  Job(Job&& o) noexcept : account_(std::move(o.account_)) {}
  Job& operator=(Job&&) = delete;
  ~Job() {
    if (account_) account_->end_job();
  }

 private:
  explicit Job(source::UserAccountPtr account) : account_(std::move(account)) {}
  source::UserAccountPtr account_;
};

// Opens the account, runs the job on its core, and closes the account again when nobody else has use for it: a run over
// 10,000 users holds only those open that are being worked on.
template <class Report, class RunJob>
awaitable<Result<Report>> on_account(source::Services& services, std::string user, RunJob run_job) {
  auto account = co_await services.registry->open(user);
  if (!account) co_return account.error();
  const uint64_t opens = (*account)->opens();
  asio::any_io_executor core = (*account)->executor();
  awaitable<Result<Report>> there = run_job(*account);
  Result<Report> report = co_await asio::co_spawn(core, std::move(there), asio::use_awaitable);
  account = storage::Failure(storage::Errc::closed, "");  // our own hold on it ends here
  co_await services.registry->close_if_unused(std::move(user), opens);
  co_return report;
}

// One durable compare-and-swap of the user's state and placement (I8); the account then follows it.
awaitable<Result<void>> move_placement(source::UserAccountPtr account, control::State to, control::Placement placement,
                                       std::string reason, std::string evidence);
// The same owner and epoch, another state.
awaitable<Result<void>> move_state(source::UserAccountPtr account, control::State to, std::string reason);

awaitable<Result<SyncReport>> bring_up_to_date(source::UserAccountPtr account, OnProgress progress);
awaitable<Result<VerifyReport>> compare_with_source(source::UserAccountPtr account, bool full, OnProgress progress);

}  // namespace gateway::migrate
