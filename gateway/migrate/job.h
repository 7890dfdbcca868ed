// What the jobs of gateway/migrate share. On the account's core.
#pragma once

#include <string>

#include "gateway/migrate/jobs.h"
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

// One durable compare-and-swap of the user's state and placement (I8); the account then follows it.
awaitable<Result<void>> move_placement(source::UserAccountPtr account, control::State to, control::Placement placement,
                                       std::string reason, std::string evidence);
// The same owner and epoch, another state.
awaitable<Result<void>> move_state(source::UserAccountPtr account, control::State to, std::string reason);

awaitable<Result<SyncReport>> bring_up_to_date(source::UserAccountPtr account, OnProgress progress);
awaitable<Result<VerifyReport>> compare_with_source(source::UserAccountPtr account, bool full, OnProgress progress);

}  // namespace gateway::migrate
