#include "gateway/migrate/job.h"

#include "wire/net/pool.h"

namespace gateway::migrate {

using storage::Errc;
using storage::Failure;

Result<Job> Job::begin(source::UserAccountPtr account, const char* what) {
  if (!account->begin_job()) {
    return Failure(Errc::unavailable,
                   "another job runs for '" + account->user() + "'; " + what + " can start when it has ended");
  }
  return Job(std::move(account));
}

namespace {

awaitable<Result<void>> swap(source::UserAccountPtr account, control::Control::Transition t) {
  control::Control* control = &account->services().control;
  auto work = [control, t] { return control->transition(t); };
  co_return co_await wire::net::run_on_pool(account->services().blocking, work);
}

control::Control::Transition from_here(const source::UserAccount& account) {
  control::Control::Transition t;
  t.user = account.user();
  t.from = account.record().state;
  t.from_epoch = account.record().placement.epoch;
  t.placement = account.record().placement;
  t.actor = "operator";
  return t;
}

}  // namespace

awaitable<Result<void>> move_placement(source::UserAccountPtr account, control::State to, control::Placement placement,
                                       std::string reason, std::string evidence) {
  control::Control::Transition t = from_here(*account);
  t.to = to;
  t.placement = placement;
  t.reason = std::move(reason);
  t.evidence = std::move(evidence);
  co_return co_await swap(account, t);
}

awaitable<Result<void>> move_state(source::UserAccountPtr account, control::State to, std::string reason) {
  control::Control::Transition t = from_here(*account);
  t.to = to;
  t.reason = std::move(reason);
  if (auto ok = co_await swap(account, t); !ok) co_return ok.error();
  account->set_state(to);
  co_return Result<void>();
}

}  // namespace gateway::migrate
