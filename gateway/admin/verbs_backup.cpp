// backup begin|end: a pin, so that a plain copy of the account's directory is whole however long it takes.
#include <boost/json/value.hpp>

#include "gateway/admin/args.h"
#include "gateway/admin/for_users.h"
#include "gateway/admin/verbs.h"
#include "gateway/source/account_directory.h"
#include "gateway/source/user_account.h"
#include "storage/pins.h"
#include "storage/segments.h"
#include "wire/net/pool.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;

const std::string pin_name = "backup";
const std::string pin_reason = "fairlead backup begin";

awaitable<Result<void>> change_open(source::UserAccountPtr account, bool begin) {
  if (begin) co_return co_await account->the_copy().pin(pin_name, pin_reason);
  co_return co_await account->the_copy().unpin(pin_name);
}

Result<void> change_closed(storage::Env& env, const std::filesystem::path& directory, bool begin) {
  if (!begin) return storage::remove_pin(env, directory, pin_name);
  if (auto log = storage::list_segments(env, directory / "log"); !log) return log.error();
  storage::Pin pin;
  pin.name = pin_name;
  pin.reason = pin_reason;
  pin.made = env.now();
  return storage::add_pin(env, directory, pin);
}

awaitable<VerbResult> change_one(Context& context, std::string user, bool begin) {
  const std::filesystem::path directory = source::account_directory(context.services.config.data_dir, user);
  Result<void> done;
  if (context.sessions != nullptr) {
    // A server may be rewriting it this very moment: the store itself knows when the pin holds.
    auto account = co_await context.services.registry->open(user);
    if (!account) co_return failed(user, account.error());
    awaitable<Result<void>> there = change_open(*account, begin);
    done = co_await asio::co_spawn((*account)->executor(), std::move(there), asio::use_awaitable);
  } else {
    storage::Env* env = &context.services.env;
    auto work = [env, directory, begin] { return change_closed(*env, directory, begin); };
    done = co_await wire::net::run_on_pool(context.services.blocking, work);
  }
  if (!done) co_return failed(user, done.error());
  VerbResult out;
  out.json["user"] = user;
  out.json["pinned"] = begin;
  out.json["directory"] = directory.string();
  if (begin) {
    out.text = user + ": held as it is; copy " + directory.string() + ", then: fairlead backup end " + user + "\n";
  } else {
    out.text = user + ": space is given back again\n";
  }
  co_return out;
}

awaitable<VerbResult> change(Context& context, json::object args, bool begin) {
  Args a(args);
  std::vector<std::string> users = a.texts("users");
  if (const auto problem = a.problem()) co_return failed(*problem);
  Context* c = &context;
  const Job job = [c, begin](std::string user) { return change_one(*c, std::move(user), begin); };
  co_return co_await for_users(context, std::move(users), false, job);
}

}  // namespace

awaitable<VerbResult> backup_begin(Context& context, json::object args, Progress&) {
  co_return co_await change(context, std::move(args), true);
}

awaitable<VerbResult> backup_end(Context& context, json::object args, Progress&) {
  co_return co_await change(context, std::move(args), false);
}

}  // namespace gateway::admin
