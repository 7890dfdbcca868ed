// user add, list, show, remove, password.
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <ctime>

#include "gateway/admin/args.h"
#include "gateway/admin/verbs.h"
#include "gateway/control/secret.h"
#include "gateway/source/account_directory.h"
#include "wire/net/pool.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;
using control::Control;
using control::Owner;
using control::State;
using wire::net::run_on_pool;

json::object describe(const control::User& u) {
  json::object out;
  out["user"] = u.name;
  out["aliases"] = json_list(u.aliases);
  if (u.upstream.empty()) {
    out["upstream"] = nullptr;
  } else {
    out["upstream"] = u.upstream;
  }
  out["owner"] = std::string(to_string(u.placement.owner));
  return out;
}

// Mail of a former account of the same name must not turn up in the new one's, and nothing deletes it (I7): it is moved
// aside, under <data_dir>/removed.
Result<std::string> move_store_aside(storage::Env& env, const std::filesystem::path& data_dir,
                                     const std::string& user) {
  const std::filesystem::path directory = source::account_directory(data_dir, user);
  std::error_code ec;
  if (!std::filesystem::exists(directory, ec)) return std::string();
  const std::filesystem::path removed = data_dir / "removed";
  Result<void> made = env.make_directory(removed);
  if (!made) return made.error();
  std::filesystem::path target;
  int n = 0;
  do {
    target = removed / (directory.filename().string() + "." + std::to_string(env.now()) + "-" + std::to_string(n++));
  } while (std::filesystem::exists(target, ec));
  Result<void> moved = env.rename(directory, target);
  if (moved) moved = env.sync_directory(removed);
  if (moved) moved = env.sync_directory(directory.parent_path());
  if (!moved) return moved.error();
  return target.string();
}

struct NewUser {
  control::User user;
  control::Secret password;
};

Result<void> add_with_password(Control& control, const NewUser& n) {
  Result<void> added = control.add_user(n.user);
  if (!added || n.password.empty()) return added;
  Result<void> set = n.user.upstream.empty() ? control.set_own_password(n.user.name, n.password.value())
                                             : control.set_source_password(n.user.name, n.password.value());
  if (set) return set;
  // All or nothing: a user without the password that was given would only look added.
  const Result<void> undone = control.remove_user(n.user.name);
  return set;
}

Result<NewUser> read_new_user(const config::Config& config, const json::object& args) {
  Args a(args);
  NewUser out;
  const std::string typed = a.text("user");
  const std::optional<std::string> upstream = a.optional_text("upstream");
  const bool local = a.flag("local");
  const std::vector<std::string> aliases = a.texts("aliases");
  out.password = control::Secret(a.optional_text("password").value_or(""));
  if (const auto problem = a.problem()) return *problem;
  Result<std::string> name = config.canonical_user(typed);
  if (!name) return name.error();
  if (local == upstream.has_value()) return Failure(Errc::usage, "a user is either --local or at an --upstream");
  if (upstream && !config.upstreams.contains(*upstream)) {
    std::vector<std::string> known;
    for (const auto& [key, value] : config.upstreams) known.push_back(key);
    return Failure(Errc::usage, "there is no upstream " + *upstream + " in " + config.file.string() +
                                    (known.empty() ? "" : "; it has: " + joined(known, ", ")));
  }
  out.user.name = *name;
  for (const std::string& alias : aliases) {
    Result<std::string> canonical = config.canonical_user(alias);
    if (!canonical) return canonical.error();
    if (*canonical != *name) out.user.aliases.push_back(*canonical);
  }
  out.user.upstream = upstream.value_or("");
  out.user.placement.owner = local ? Owner::local : Owner::upstream;
  out.user.placement.epoch = wire::base::Epoch(1);
  out.user.state = local ? State::committed : State::added;
  return out;
}

}  // namespace

awaitable<VerbResult> user_add(Context& context, json::object args, Progress&) {
  Result<NewUser> read = read_new_user(context.services.config, args);
  if (!read) co_return failed(read.error());
  // Shared with the pool, which goes on if the verb is cancelled.
  auto shared = std::make_shared<const NewUser>(std::move(*read));
  const NewUser& n = *shared;
  Control* control = &context.services.control;
  storage::Env* env = &context.services.env;
  const std::filesystem::path data_dir = context.services.config.data_dir;
  auto work = [control, env, data_dir, shared]() -> Result<void> {
    Result<std::optional<control::User>> there = control->find_user(shared->user.name);
    if (!there) return there.error();
    if (!*there) {
      Result<std::string> aside = move_store_aside(*env, data_dir, shared->user.name);
      if (!aside) return aside.error();
    }
    return add_with_password(*control, *shared);
  };
  Result<void> done = co_await run_on_pool(context.passwords, work);
  if (!done) co_return failed(n.user.name, done.error());
  VerbResult out;
  out.json = describe(n.user);
  out.text = n.user.name + " added, " + (n.user.upstream.empty() ? "local" : "at " + n.user.upstream) + "\n";
  const auto upstream = context.services.config.upstreams.find(n.user.upstream);
  if (n.password.empty() && n.user.upstream.empty()) {
    out.text += "There is no password yet: fairlead user password " + n.user.name + " --password-file FILE\n";
  } else if (n.password.empty() && upstream != context.services.config.upstreams.end() && !upstream->second.admin) {
    out.text +=
        "sync needs the password at the source: fairlead user password " + n.user.name + " --password-file FILE\n";
  }
  co_return out;
}

awaitable<VerbResult> user_list(Context& context, json::object args, Progress&) {
  const Args a(args);
  if (const auto problem = a.problem()) co_return failed(*problem);
  Result<std::vector<control::User>> users = co_await all_users(context);
  if (!users) co_return failed(users.error());
  VerbResult out;
  json::array list;
  for (const control::User& u : *users) {
    list.push_back(describe(u));
    out.text += u.name + "\t" + std::string(to_string(u.placement.owner)) + "\t" +
                (u.upstream.empty() ? "-" : u.upstream) + (u.aliases.empty() ? "" : "\t" + joined(u.aliases, " ")) +
                "\n";
  }
  if (users->empty()) out.text = "There are no users.\n";
  out.json["users"] = std::move(list);
  co_return out;
}

awaitable<VerbResult> user_show(Context& context, json::object args, Progress&) {
  Args a(args);
  const std::string typed = a.text("user");
  if (const auto problem = a.problem()) co_return failed(*problem);
  Result<control::User> user = co_await find_user(context, typed);
  if (!user) co_return failed(user.error());
  const control::User& u = *user;
  Control* control = &context.services.control;
  auto look = [control, name = u.name] { return control->events(name, 20); };
  Result<std::vector<Control::Event>> events = co_await run_on_pool(context.services.blocking, look);
  if (!events) co_return failed(events.error());
  VerbResult out;
  out.json = describe(u);
  out.json["state"] = std::string(to_string(u.state));
  out.json["epoch"] = u.placement.epoch.value;
  out.json["last_sync"] = u.last_sync;
  out.json["own_password"] = u.has_own_password;
  out.json["source_password"] = u.has_source_password;
  out.json["error"] = u.error;
  const std::filesystem::path directory = source::account_directory(context.services.config.data_dir, u.name);
  out.json["directory"] = directory.string();
  json::array history;
  std::string lines;
  for (const Control::Event& e : *events) {
    json::object event;
    event["when"] = e.when;
    event["actor"] = e.actor;
    event["what"] = e.what;
    history.push_back(std::move(event));
    lines += "  " + utc_time(e.when) + "  " + e.what + " (" + e.actor + ")\n";
  }
  out.json["events"] = std::move(history);
  out.text = u.name + ": " + std::string(to_string(u.state)) + ", owner " + std::string(to_string(u.placement.owner)) +
             ", epoch " + std::to_string(u.placement.epoch.value) + "\n";
  if (!u.upstream.empty()) out.text += "upstream: " + u.upstream + "\n";
  if (!u.aliases.empty()) out.text += "aliases: " + joined(u.aliases, " ") + "\n";
  out.text += std::string("passwords: ") + (u.has_own_password ? "own" : "") +
              (u.has_own_password && u.has_source_password ? ", " : "") + (u.has_source_password ? "source" : "") +
              (!u.has_own_password && !u.has_source_password ? "none here" : "") + "\n";
  out.text += "last sync: " + (u.last_sync == 0 ? "never" : utc_time(u.last_sync)) + "\n";
  out.text += "store: " + directory.string() + "\n";
  if (!u.error.empty()) out.text += "last error: " + u.error + "\n";
  out.text += "history, newest first:\n" + lines;
  co_return out;
}

awaitable<VerbResult> user_remove(Context& context, json::object args, Progress&) {
  Args a(args);
  const std::string typed = a.text("user");
  if (const auto problem = a.problem()) co_return failed(*problem);
  Result<control::User> user = co_await find_user(context, typed);
  if (!user) co_return failed(user.error());
  const std::string name = user->name;
  // The tombstone first: from here on nobody can open the account again, so that closing it is final.
  Control* control = &context.services.control;
  auto remove = [control, name] { return control->remove_user(name); };
  Result<void> removed = co_await run_on_pool(context.services.blocking, remove);
  if (!removed) co_return failed(name, removed.error());
  if (context.sessions != nullptr) context.sessions->kick_user(name, "the account was removed");
  co_await context.services.registry->close_user(name, "the account was removed");
  storage::Env* env = &context.services.env;
  const std::filesystem::path data_dir = context.services.config.data_dir;
  auto aside = [env, data_dir, name] { return move_store_aside(*env, data_dir, name); };
  Result<std::string> kept = co_await run_on_pool(context.services.blocking, aside);
  if (!kept) co_return failed(name, kept.error());
  VerbResult out;
  out.json["user"] = name;
  out.json["kept"] = *kept;
  out.text = name + " removed; nobody is enrolled under this name by a login any more\n";
  if (!kept->empty()) out.text += "The mail is kept in " + *kept + "\n";
  co_return out;
}

awaitable<VerbResult> user_password(Context& context, json::object args, Progress&) {
  Args a(args);
  const std::string typed = a.text("user");
  const bool own = a.flag("own"), at_source = a.flag("source");
  auto password = std::make_shared<const control::Secret>(a.text("password"));
  if (const auto problem = a.problem()) co_return failed(*problem);
  Result<control::User> user = co_await find_user(context, typed);
  if (!user) co_return failed(user.error());
  const std::string name = user->name;
  if (own && at_source) co_return failed(Failure(Errc::usage, "either --own or --source"));
  if (at_source && user->upstream.empty()) co_return failed(Failure(Errc::usage, name + " has no source: it is local"));
  const bool source = !own && !user->upstream.empty();
  Control* control = &context.services.control;
  auto set = [control, name, source, password] {
    return source ? control->set_source_password(name, password->value())
                  : control->set_own_password(name, password->value());
  };
  Result<void> done = co_await run_on_pool(context.passwords, set);
  if (!done) co_return failed(name, done.error());
  VerbResult out;
  out.json["user"] = name;
  out.json["password"] = source ? "source" : "own";
  out.text = name + ": " + (source ? "the password at " + user->upstream + " is kept, sealed\n" : "own password set\n");
  co_return out;
}

}  // namespace gateway::admin
