// compact: gives space back now, and compresses small messages as hard as maintenance does, without waiting for a
// server to be idle.
#include <boost/json/value.hpp>

#include "gateway/admin/args.h"
#include "gateway/admin/for_users.h"
#include "gateway/admin/render.h"
#include "gateway/admin/verbs.h"
#include "gateway/migrate/job.h"
#include "gateway/source/account_directory.h"
#include "storage/segments.h"
#include "wire/net/pool.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;

struct LogSize {
  uint64_t in_force = 0, replaced = 0;  // bytes of files
};

Result<uint64_t> size_of(storage::Env& env, const std::filesystem::path& path) {
  auto file = env.open(path, storage::Env::Mode::read);
  if (!file && file.error().code == Errc::not_found) return uint64_t{0};  // it has just moved or gone
  if (!file) return file.error();
  return (*file)->size();
}

Result<LogSize> measure(storage::Env& env, const std::filesystem::path& directory) {
  const std::filesystem::path log = directory / "log", retired = storage::retired_directory(log);
  Result<storage::LogListing> listing = storage::list_log(env, log);
  if (!listing) return listing.error();
  LogSize out;
  auto add = [&env](uint64_t& to, const std::filesystem::path& path) -> Result<void> {
    Result<uint64_t> bytes = size_of(env, path);
    if (!bytes) return bytes.error();
    to += *bytes;
    return {};
  };
  Result<void> ok;
  for (size_t i = 0; ok && i < listing->in_force.size(); ++i) ok = add(out.in_force, log / listing->in_force[i].text());
  for (size_t i = 0; ok && i < listing->superseded.size(); ++i) {
    ok = add(out.replaced, log / listing->superseded[i].text());
  }
  for (size_t i = 0; ok && i < listing->retired.size(); ++i)
    ok = add(out.replaced, retired / listing->retired[i].text());
  if (!ok) return ok.error();
  return out;
}

struct Compacted {
  LogSize before, after;
  bool held = false;
  std::optional<int64_t> due;
};

awaitable<Result<LogSize>> measured(source::UserAccountPtr account) {
  storage::Env* env = &account->services().env;
  const std::filesystem::path directory = account->the_copy().store().directory();
  auto look = [env, directory] { return measure(*env, directory); };
  co_return co_await wire::net::run_on_pool(account->the_copy().pool(), look);
}

awaitable<Result<Compacted>> compact_account(source::UserAccountPtr account) {
  Compacted out;
  auto before = co_await measured(account);
  if (!before) co_return before.error();
  out.before = *before;
  auto done = co_await account->give_back(100, false);
  if (!done) co_return done.error();
  out.held = *done == source::RewriteOutcome::later;
  out.due = account->the_copy().leftover_due();
  auto after = co_await measured(account);
  if (!after) co_return after.error();
  out.after = *after;
  co_return out;
}

awaitable<VerbResult> compact_one(Context& context, std::string user) {
  auto run = [](source::UserAccountPtr account) { return compact_account(std::move(account)); };
  auto done = co_await migrate::on_account<Compacted>(context.services, user, run);
  if (!done) co_return failed(user, done.error());
  VerbResult out;
  out.exit = done->held ? Exit::not_now : Exit::done;
  out.json["user"] = user;
  out.json["log_bytes_before"] = done->before.in_force;
  out.json["log_bytes"] = done->after.in_force;
  out.json["replaced_bytes"] = done->after.replaced;
  out.json["held"] = done->held;
  out.text =
      user + ": the log had " + human_bytes(done->before.in_force) + " and has " + human_bytes(done->after.in_force);
  if (done->after.replaced > 0) {
    out.text += "; " + human_bytes(done->after.replaced) + " that were replaced stay for a while";
    if (done->due) out.text += ", next looked at " + utc_time(*done->due);
  }
  if (done->held) out.text += "; a pin or other work on the store held it up (fairlead doctor shows pins)";
  out.text += "\n";
  co_return out;
}

}  // namespace

awaitable<VerbResult> compact(Context& context, json::object args, Progress&) {
  Args a(args);
  std::vector<std::string> users = a.texts("users");
  const bool all = a.flag("all");
  if (const auto problem = a.problem()) co_return failed(*problem);
  if (all) {
    Result<std::vector<control::User>> everybody = co_await all_users(context);
    if (!everybody) co_return failed(everybody.error());
    users.clear();
    for (const control::User& u : *everybody) users.push_back(u.name);
  }
  Context* c = &context;
  const Job job = [c](std::string user) { return compact_one(*c, std::move(user)); };
  co_return co_await for_users(context, std::move(users), false, job);
}

}  // namespace gateway::admin
