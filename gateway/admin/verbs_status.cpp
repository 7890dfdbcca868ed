// status, who, kick.
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <ctime>

#include "gateway/admin/args.h"
#include "gateway/admin/verbs.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;
using control::Owner;
using control::State;

struct Rollback {
  bool ready = false;
  std::vector<std::string> cannot;
};

// Before a commit the source is the authority: a rollback has nothing to lose and nothing to do.
awaitable<Rollback> rollback_of(Context& context, control::User user) {
  Rollback out;
  if (user.upstream.empty()) {
    out.cannot.push_back("the account was local from the start");
    co_return out;
  }
  if (user.placement.owner != Owner::local) {
    out.ready = user.placement.owner == Owner::upstream;
    if (!out.ready) out.cannot.push_back("a cutover is under way");
    co_return out;
  }
  Result<migrate::RollbackReport> report = co_await migrate::rollback_check(context.services, user.name);
  if (!report) {
    out.cannot.push_back(report.error().describe());
    co_return out;
  }
  out.ready = report->cannot.empty();
  out.cannot = std::move(report->cannot);
  co_return out;
}

json::object session_json(const imap::SessionInfo& s) {
  json::object out;
  out["id"] = s.id;
  out["protocol"] = s.protocol;
  out["address"] = s.address;
  out["user"] = s.user;
  out["mailbox"] = s.mailbox;
  out["command"] = s.command;
  out["tls"] = s.tls;
  out["since"] = s.since;
  return out;
}

}  // namespace

awaitable<VerbResult> status(Context& context, json::object args, Progress&) {
  Args a(args);
  const std::vector<std::string> names = a.texts("users");
  if (const auto problem = a.problem()) co_return failed(*problem);
  std::vector<control::User> users;
  if (names.empty()) {
    Result<std::vector<control::User>> all = co_await all_users(context);
    if (!all) co_return failed(all.error());
    users = std::move(*all);
  }
  for (const std::string& name : names) {
    Result<control::User> user = co_await find_user(context, name);
    if (!user) co_return failed(user.error());
    users.push_back(std::move(*user));
  }
  VerbResult out;
  json::array list;
  const int64_t now = context.services.env.now();
  for (const control::User& u : users) {
    const Rollback rollback = co_await rollback_of(context, u);
    json::object o;
    o["user"] = u.name;
    o["upstream"] = u.upstream.empty() ? json::value(nullptr) : json::value(u.upstream);
    o["state"] = std::string(to_string(u.state));
    o["owner"] = std::string(to_string(u.placement.owner));
    o["epoch"] = u.placement.epoch.value;
    // Seconds that the copy may be behind its source: none once the copy is the authority, unknown before the first
    // sync.
    const bool local = u.placement.owner == Owner::local;
    o["lag"] = local ? json::value(0) : u.last_sync == 0 ? json::value(nullptr) : json::value(now - u.last_sync);
    json::object r;
    r["ready"] = rollback.ready;
    r["cannot"] = json_list(rollback.cannot);
    o["rollback"] = std::move(r);
    o["error"] = u.error.empty() ? json::value(nullptr) : json::value(u.error);
    list.push_back(std::move(o));

    out.text += u.name + ": " + std::string(to_string(u.state)) + ", owner " +
                std::string(to_string(u.placement.owner)) + ", epoch " + std::to_string(u.placement.epoch.value);
    if (!u.upstream.empty()) out.text += ", upstream " + u.upstream;
    if (!local) {
      out.text += u.last_sync == 0 ? ", never synced" : ", synced " + std::to_string(now - u.last_sync) + " s ago";
    } else if (!u.upstream.empty()) {
      out.text +=
          rollback.ready ? ", a rollback would lose nothing" : ", no rollback: " + joined(rollback.cannot, "; ");
    }
    out.text += "\n";
    if (!u.error.empty()) out.text += "  last error: " + u.error + "\n";
  }
  if (users.empty()) out.text = "There are no users.\n";
  out.json["users"] = std::move(list);
  co_return out;
}

awaitable<VerbResult> who(Context& context, json::object args, Progress&) {
  const Args a(args);
  if (const auto problem = a.problem()) co_return failed(*problem);
  VerbResult out;
  json::array list;
  std::vector<imap::SessionInfo> sessions;
  if (context.sessions != nullptr) sessions = context.sessions->list();
  for (const imap::SessionInfo& s : sessions) {
    list.push_back(session_json(s));
    out.text += std::to_string(s.id) + "\t" + s.protocol + (s.tls ? "+tls" : "") + "\t" + s.address + "\t" +
                (s.user.empty() ? "-" : s.user) + "\t" + (s.command.empty() ? "-" : s.command) + "\t" +
                wire::base::escape(s.mailbox) + "\t" + utc_time(s.since) + "\n";
  }
  if (context.sessions == nullptr) {
    out.text = "No server is running.\n";
  } else if (sessions.empty()) {
    out.text = "Nobody is connected.\n";
  }
  out.json["sessions"] = std::move(list);
  co_return out;
}

awaitable<VerbResult> kick(Context& context, json::object args, Progress&) {
  Args a(args);
  const std::optional<std::string> typed = a.optional_text("user");
  const std::optional<uint64_t> id = a.number("id");
  if (const auto problem = a.problem()) co_return failed(*problem);
  if (typed.has_value() == id.has_value()) {
    co_return failed(Failure(Errc::usage, "name a user, or a session by --id (fairlead who lists both)"));
  }
  if (context.sessions == nullptr)
    co_return failed(Failure(Errc::not_found, "no server is running: nobody is connected"));
  size_t kicked = 0;
  if (id) {
    kicked = context.sessions->kick(*id, "ended by the operator") ? 1 : 0;
  } else {
    Result<control::User> user = co_await find_user(context, *typed);
    if (!user) co_return failed(user.error());
    kicked = context.sessions->kick_user(user->name, "ended by the operator");
  }
  VerbResult out;
  out.exit = kicked == 0 ? Exit::no : Exit::done;
  out.json["kicked"] = kicked;
  out.text = kicked == 0   ? "There is no such session.\n"
             : kicked == 1 ? "1 session was told to leave.\n"
                           : std::to_string(kicked) + " sessions were told to leave.\n";
  co_return out;
}

}  // namespace gateway::admin
