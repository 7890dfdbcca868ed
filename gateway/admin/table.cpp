#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <ctime>

#include "gateway/admin/verbs.h"
#include "wire/net/pool.h"

namespace gateway::admin {

namespace {

constexpr std::array table{
    Verb{"backup begin", backup_begin},
    Verb{"backup end", backup_end},
    Verb{"compact", compact},
    Verb{"cutover", cutover},
    Verb{"doctor", doctor},
    Verb{"export", export_mail},
    Verb{"finalize-format", finalize_format},
    Verb{"import", import_mail},
    Verb{"kick", kick},
    Verb{"probe", probe},
    Verb{"rollback", rollback},
    Verb{"status", status},
    Verb{"sync", sync},
    Verb{"user add", user_add},
    Verb{"user list", user_list},
    Verb{"user password", user_password},
    Verb{"user remove", user_remove},
    Verb{"user show", user_show},
    Verb{"verify", verify},
    Verb{"who", who},
};
static_assert(std::is_sorted(table.begin(), table.end(), [](const Verb& a, const Verb& b) { return a.name < b.name; }));

}  // namespace

std::span<const Verb> verbs() { return table; }

const Verb* find_verb(std::string_view name) {
  const auto less = [](const Verb& v, std::string_view n) { return v.name < n; };
  const auto it = std::lower_bound(table.begin(), table.end(), name, less);
  return it != table.end() && it->name == name ? &*it : nullptr;
}

Exit exit_of(const Failure& f) {
  switch (f.code) {
    case Errc::usage:
    case Errc::malformed:
      return Exit::usage;
    case Errc::not_found:
    case Errc::exists:
    case Errc::refused:
    case Errc::auth:
    case Errc::limit:
    case Errc::unsupported:
      return Exit::no;
    default:
      return Exit::not_now;
  }
}

VerbResult failed(const Failure& f) {
  VerbResult out;
  out.exit = exit_of(f);
  out.json["error"] = f.describe();
  out.json["code"] = std::string(to_string(f.code));
  out.text = f.describe() + "\n";
  return out;
}

VerbResult failed(const std::string& user, const Failure& f) {
  VerbResult out = failed(f);
  out.json["user"] = user;
  out.text = user + ": " + out.text;
  return out;
}

awaitable<Result<control::User>> find_user(Context& context, std::string typed) {
  Result<std::string> name = context.services.config.canonical_user(typed);
  if (!name) co_return name.error();
  control::Control* control = &context.services.control;
  auto look = [control, user = *name] { return control->find_user(user); };
  Result<std::optional<control::User>> found = co_await wire::net::run_on_pool(context.services.blocking, look);
  if (!found) co_return found.error();
  if (!*found) {
    co_return Failure(Errc::not_found, "there is no user " + *name + " (fairlead user list shows all)");
  }
  co_return std::move(**found);
}

awaitable<Result<std::vector<control::User>>> all_users(Context& context) {
  control::Control* control = &context.services.control;
  auto look = [control] { return control->users(); };
  co_return co_await wire::net::run_on_pool(context.services.blocking, look);
}

boost::json::array json_list(const std::vector<std::string>& texts) {
  boost::json::array out;
  for (const std::string& t : texts) out.emplace_back(t);
  return out;
}

std::string joined(const std::vector<std::string>& texts, std::string_view separator) {
  std::string out;
  for (const std::string& t : texts) {
    if (!out.empty()) out += separator;
    out += t;
  }
  return out;
}

std::string utc_time(int64_t seconds) {
  const std::time_t t = seconds;
  std::tm utc{};
  gmtime_r(&t, &utc);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &utc));
}

}  // namespace gateway::admin
