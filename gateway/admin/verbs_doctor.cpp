// doctor: reads every frame and body of accounts' stores and tells what is wrong. Writes nothing.
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "gateway/admin/args.h"
#include "gateway/admin/for_users.h"
#include "gateway/admin/render.h"
#include "gateway/admin/verbs.h"
#include "gateway/source/account_directory.h"
#include "gateway/source/user_account.h"
#include "storage/check.h"
#include "wire/net/pool.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;

VerbResult render_check(const std::string& user, const storage::CheckReport& r) {
  VerbResult out;
  out.exit = r.clean() ? Exit::done : Exit::no;
  out.json["user"] = user;
  out.json["clean"] = r.clean();
  out.json["frames"] = r.frames;
  out.json["live_bytes"] = r.live_bytes;
  out.json["dead_bytes"] = r.dead_bytes;
  out.text = user + ": " + (r.clean() ? "clean" : std::to_string(r.problems.size()) + " problems") + "; " +
             std::to_string(r.mailboxes) + " mailboxes, " + std::to_string(r.messages) + " messages, " +
             std::to_string(r.frames) + " frames, " + human_bytes(r.live_bytes) + " live, " +
             human_bytes(r.dead_bytes) + " dead\n";
  json::array problems;
  for (const storage::CheckProblem& p : r.problems) {
    json::object o;
    o["what"] = p.what;
    o["where"] = p.where;
    o["repair"] = p.repair;
    problems.push_back(std::move(o));
    out.text += "  " + p.what + " at " + p.where + (p.repair.empty() ? "" : "; " + p.repair) + "\n";
  }
  out.json["problems"] = std::move(problems);
  return out;
}

// Up to where the log of an account that is open in this process holds still.
awaitable<storage::Lsn> durable_of(source::UserAccountPtr account) { co_return account->the_copy().store().durable(); }

awaitable<VerbResult> check_one(Context& context, std::string user) {
  storage::Lsn until(UINT64_MAX);
  if (context.sessions != nullptr) {
    // A server may have the store open and be writing to it. What does not open is checked as it lies there.
    Result<source::UserAccountPtr> account = co_await context.services.registry->open(user);
    if (account) {
      awaitable<storage::Lsn> there = durable_of(*account);
      until = co_await asio::co_spawn((*account)->executor(), std::move(there), asio::use_awaitable);
    }
  }
  storage::Env* env = &context.services.env;
  const std::filesystem::path directory = source::account_directory(context.services.config.data_dir, user);
  auto work = [env, directory, until] { return storage::check_store(*env, directory, {}, until); };
  Result<storage::CheckReport> report = co_await wire::net::run_on_pool(context.services.blocking, work);
  if (!report && report.error().code == Errc::not_found) {
    // Nobody has logged in or synced yet: there is nothing that could be wrong.
    co_return render_check(user, storage::CheckReport());
  }
  if (!report) co_return failed(user, report.error());
  co_return render_check(user, *report);
}

}  // namespace

awaitable<VerbResult> doctor(Context& context, json::object args, Progress&) {
  Args a(args);
  std::vector<std::string> users = a.texts("users");
  if (const auto problem = a.problem()) co_return failed(*problem);
  Context* c = &context;
  const Job job = [c](std::string user) { return check_one(*c, std::move(user)); };
  co_return co_await for_users(context, std::move(users), false, job);
}

}  // namespace gateway::admin
