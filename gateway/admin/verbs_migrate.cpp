// sync, verify, cutover, rollback, probe: renders the reports of gateway/migrate, for one user or many.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "gateway/admin/args.h"
#include "gateway/admin/for_users.h"
#include "gateway/admin/probe_pop3.h"
#include "gateway/admin/render.h"
#include "gateway/admin/verbs.h"
#include "gateway/control/secret.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;

struct Common {
  std::vector<std::string> users;
  bool all = false;
};

Common common(Args& a) {
  Common out;
  out.users = a.texts("users");
  out.all = a.flag("all");
  return out;
}

}  // namespace

awaitable<VerbResult> sync(Context& context, json::object args, Progress& progress) {
  Args a(args);
  Common c = common(a);
  if (const auto problem = a.problem()) co_return failed(*problem);
  migrate::OnProgress hear = [&progress](const migrate::Tally& t) { progress.update(t); };
  source::Services* services = &context.services;
  const Job job = [services, hear](std::string user) -> awaitable<VerbResult> {
    Result<migrate::SyncReport> report = co_await migrate::sync(*services, user, hear);
    if (!report) co_return failed(user, report.error());
    co_return render(*report);
  };
  co_return co_await for_users(context, std::move(c.users), c.all, job);
}

awaitable<VerbResult> verify(Context& context, json::object args, Progress& progress) {
  Args a(args);
  Common c = common(a);
  const bool full = a.flag("full");
  if (const auto problem = a.problem()) co_return failed(*problem);
  migrate::OnProgress hear = [&progress](const migrate::Tally& t) { progress.update(t); };
  source::Services* services = &context.services;
  const Job job = [services, hear, full](std::string user) -> awaitable<VerbResult> {
    Result<migrate::VerifyReport> report = co_await migrate::verify(*services, user, full, hear);
    if (!report) co_return failed(user, report.error());
    co_return render(*report, full);
  };
  co_return co_await for_users(context, std::move(c.users), c.all, job);
}

awaitable<VerbResult> cutover(Context& context, json::object args, Progress& progress) {
  Args a(args);
  std::vector<std::string> users = a.texts("users");
  const std::vector<std::string> accept = a.texts("accept");
  if (const auto problem = a.problem()) co_return failed(*problem);
  migrate::OnProgress hear = [&progress](const migrate::Tally& t) { progress.update(t); };
  source::Services* services = &context.services;
  const Job job = [services, hear, accept](std::string user) -> awaitable<VerbResult> {
    Result<migrate::CutoverReport> report = co_await migrate::cutover(*services, user, accept, hear);
    if (!report) co_return failed(user, report.error());
    co_return render(*report);
  };
  co_return co_await for_users(context, std::move(users), false, job);
}

awaitable<VerbResult> rollback(Context& context, json::object args, Progress&) {
  Args a(args);
  std::vector<std::string> users = a.texts("users");
  if (const auto problem = a.problem()) co_return failed(*problem);
  source::Services* services = &context.services;
  const Job job = [services](std::string user) -> awaitable<VerbResult> {
    Result<migrate::RollbackReport> report = co_await migrate::rollback(*services, user);
    if (!report) co_return failed(user, report.error());
    co_return render(*report);
  };
  co_return co_await for_users(context, std::move(users), false, job);
}

awaitable<VerbResult> probe(Context& context, json::object args, Progress&) {
  Args a(args);
  const std::string upstream = a.text("upstream");
  const std::optional<std::string> user = a.optional_text("user");
  std::optional<std::string> password = a.optional_text("password");
  if (const auto problem = a.problem()) co_return failed(*problem);
  if (!context.services.config.upstreams.contains(upstream)) {
    co_return failed(
        Failure(Errc::usage, "there is no upstream " + upstream + " in " + context.services.config.file.string()));
  }
  Result<migrate::ProbeReport> report = co_await migrate::probe(context.services, upstream, user, password);
  std::optional<json::object> pop3;
  const config::Upstream& at = context.services.config.upstreams.find(upstream)->second;
  if (report && at.pop3) pop3 = co_await probe_pop3(at, user, password);
  if (password) control::wipe(*password);
  if (!report) co_return failed(report.error());
  VerbResult out = render(*report);
  if (pop3) {
    out.text += "  POP3: " + json::serialize(*pop3) + "\n";
    out.json["pop3"] = std::move(*pop3);
  }
  co_return out;
}

}  // namespace gateway::admin
