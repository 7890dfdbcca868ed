#include "gateway/admin/for_users.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "gateway/admin/verbs.h"
#include "wire/net/tasks.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;

// How many users a verb works on at once; the upstream's own limits hold beneath.
constexpr size_t users_at_once = 8;

awaitable<VerbResult> guarded(Context& context, std::string typed, const Job& job) {
  Result<control::User> user = co_await find_user(context, typed);
  if (!user) co_return failed(user.error());
  const std::string name = user->name;
  std::optional<VerbResult> out;
  std::exception_ptr error;
  try {
    out = co_await job(name);
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    // A cancelled verb must end, not report.
    if (wire::net::is_cancelled(error)) std::rethrow_exception(error);
    co_return failed(name, Failure(Errc::internal, wire::net::describe(error)));
  }
  co_return std::move(*out);
}

// Shared by the workers: a cancelled verb may be gone before they have ended.
struct Batch {
  std::vector<std::string> users;
  Job job;
  size_t next = 0;
  std::vector<VerbResult> results;
  std::exception_ptr error;
};

awaitable<void> worker(Context& context, std::shared_ptr<Batch> batch) {
  while (batch->next < batch->users.size()) {
    const size_t mine = batch->next++;
    VerbResult result = co_await guarded(context, batch->users[mine], batch->job);
    batch->results[mine] = std::move(result);
  }
}

}  // namespace

awaitable<VerbResult> for_users(Context& context, std::vector<std::string> users, bool all, const Job& job) {
  if (all) {
    Result<std::vector<control::User>> everybody = co_await all_users(context);
    if (!everybody) co_return failed(everybody.error());
    for (const control::User& u : *everybody) {
      if (!u.upstream.empty()) users.push_back(u.name);
    }
  } else if (users.empty()) {
    co_return failed(Failure(Errc::usage, "name a user, or --all"));
  } else if (users.size() == 1) {
    co_return co_await guarded(context, users.front(), job);
  }
  auto batch = std::make_shared<Batch>();
  batch->users = std::move(users);
  batch->job = job;
  batch->results.resize(batch->users.size());
  const asio::any_io_executor here = co_await asio::this_coro::executor;
  wire::net::TaskGroup group(here, [batch](const std::string&, std::exception_ptr e) { batch->error = e; });
  for (size_t i = 0; i < std::min(users_at_once, batch->users.size()); ++i)
    group.spawn("users", worker(context, batch));
  co_await group.join();
  if (batch->error) std::rethrow_exception(batch->error);
  VerbResult out;
  json::array list;
  for (VerbResult& r : batch->results) {
    out.exit = std::max(out.exit, r.exit);
    out.text += r.text;
    list.push_back(std::move(r.json));
  }
  if (batch->users.empty()) out.text = "There are no users with an upstream.\n";
  out.json["users"] = std::move(list);
  co_return out;
}

}  // namespace gateway::admin
