// doctor: reads every frame and body of accounts' stores and tells what is wrong; with `repair`, mends it while nobody
// has the account open, and fetches lost bodies from the source while there is one.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "gateway/admin/args.h"
#include "gateway/admin/for_users.h"
#include "gateway/admin/render.h"
#include "gateway/admin/verbs.h"
#include "gateway/source/account_directory.h"
#include "gateway/source/log_lease.h"
#include "gateway/source/user_account.h"
#include "storage/check.h"
#include "storage/repair.h"
#include "wire/net/pool.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;
using wire::base::Lsn;

struct Mending {
  bool asked = false;
  std::filesystem::path from;
};

VerbResult render_check(const std::string& user, const storage::CheckReport& r, int64_t now) {
  VerbResult out;
  out.exit = r.clean() ? Exit::done : Exit::no;
  out.json["user"] = user;
  out.json["clean"] = r.clean();
  out.json["frames"] = r.frames;
  out.json["live_bytes"] = r.live_bytes;
  out.json["dead_bytes"] = r.dead_bytes;
  out.json["shared_bytes"] = r.shared_bytes;
  out.json["retired_bytes"] = r.retired_bytes;
  out.text = user + ": " + (r.clean() ? "clean" : std::to_string(r.problems.size()) + " problems") + "; " +
             std::to_string(r.mailboxes) + " mailboxes, " + std::to_string(r.messages) + " messages, " +
             std::to_string(r.frames) + " frames, " + human_bytes(r.live_bytes) + " live, " +
             human_bytes(r.dead_bytes) + " dead, " + human_bytes(r.shared_bytes) + " saved by sharing, " +
             human_bytes(r.retired_bytes) + " retired\n";
  json::array pins;
  for (const storage::Pin& p : r.pins) {
    json::object o;
    o["name"] = p.name;
    o["lsn"] = p.lsn.value;
    o["since"] = utc_time(p.made);
    o["age_seconds"] = std::max<int64_t>(0, now - p.made);
    o["reason"] = p.reason;
    pins.push_back(std::move(o));
    out.text += "  pinned by " + p.name + " since " + utc_time(p.made) + " (" + p.reason +
                "): space is not given back until it ends\n";
  }
  out.json["pins"] = std::move(pins);
  if (!r.restored.empty()) {
    out.json["restored"] = r.restored;
    out.text +=
        "  an older copy of the directory was put back once (when, last change that was there, first number "
        "after it): " +
        r.restored + "\n";
  }
  auto list = [&](const std::vector<storage::CheckProblem>& all) {
    json::array told;
    for (const storage::CheckProblem& p : all) {
      json::object o;
      o["what"] = p.what;
      o["where"] = p.where;
      o["repair"] = p.repair;
      told.push_back(std::move(o));
      out.text += "  " + p.what + " at " + p.where + (p.repair.empty() ? "" : "; " + p.repair) + "\n";
    }
    return told;
  };
  out.json["problems"] = list(r.problems);
  out.json["notes"] = list(r.notes);
  return out;
}

void render_repair(const storage::RepairReport& r, uint64_t fetched, VerbResult& out) {
  json::array done;
  std::string text;
  for (const std::string& d : r.done) {
    done.emplace_back(d);
    text += "  " + d + "\n";
  }
  if (fetched > 0) text += "  fetched " + std::to_string(fetched) + " messages from the source again\n";
  if (!r.quarantine.empty()) text += "  what was taken out is in " + r.quarantine.string() + "\n";
  if (text.empty()) text = "  nothing had to be repaired\n";
  out.json["repaired"] = std::move(done);
  out.json["quarantine"] = r.quarantine.string();
  out.json["lost_frames"] = r.lost_frames;
  out.json["jumped"] = r.jumped;
  out.json["bodies_restored"] = r.bodies_restored;
  out.json["bodies_fetched"] = fetched;
  out.text = "repaired:\n" + text + out.text;
}

storage::CheckProgress as_progress(Progress& progress, const std::string& user) {
  Progress* to = &progress;
  return [to, user](uint64_t done, uint64_t total) {
    migrate::Tally t;
    t.user = user;
    t.bytes = done;
    t.bytes_total = total;
    to->update(t);
    return true;
  };
}

// Up to where the log of an account that is open in this process holds still.
awaitable<Lsn> durable_of(source::UserAccountPtr account) { co_return account->the_copy().store().durable(); }

// A directory that was put back while nobody served it: opening it will jump.
void add_restored(source::LogLease& lease, storage::CheckReport& report) {
  Result<source::LeaseVerdict> verdict = lease.check(report.end);
  if (!verdict || !verdict->restored) return;
  const uint64_t lost = verdict->used > report.end ? verdict->used.value - report.end.value : 0;
  report.problems.push_back(
      {"this is an older copy of the account's directory: at least " + std::to_string(lost) + " later changes are gone",
       "LSN " + std::to_string(report.end.value + 1),
       "put a newer copy here if there is one; else open it: numbers then go on far above what "
       "clients have seen"});
}

// The place of a letter is known also where its dictionary is lost; trying to read it tells.
void try_to_read(const storage::Account& store, const storage::MailboxSnapshot& box) {
  for (uint32_t i = 0; i < box.size(); ++i) {
    if (const auto body = box.body(i)) (void)store.open_body(*body);
  }
}

// Bodies that are named and not there, or cannot be read, from wherever the account can have them.
awaitable<Result<uint64_t>> fetch_missing(source::UserAccountPtr account) {
  uint64_t fetched = 0;
  const storage::Account& store = account->the_copy().store();
  auto look = [account] { return account->the_copy().store().dictionary_lost(); };
  const bool unreadable = co_await wire::net::run_on_pool(account->the_copy().pool(), look);
  const auto tree = store.tree();
  for (const storage::MailboxInfo& info : tree->mailboxes) {
    const auto now = store.snapshot(info.key);
    if (now && unreadable) {
      auto attempt = [account, now] { try_to_read(account->the_copy().store(), *now); };
      co_await wire::net::run_on_pool(account->the_copy().pool(), attempt);
    }
    storage::UidSet missing;
    for (uint32_t i = 0; now && i < now->size(); ++i) {
      const auto body = now->body(i);
      if (body && !store.has_body(*body)) missing.add(now->uid(i));
    }
    if (missing.empty()) continue;
    auto box = co_await account->the_copy().open(info.key);
    if (!box) co_return box.error();
    auto content = co_await account->ensure_content(*box, missing);
    if (!content) co_return content.error();
    fetched += missing.count() - content->failed.size();
  }
  co_return fetched;
}

awaitable<Result<uint64_t>> fetch_from_source(Context& context, control::User user) {
  if (user.upstream.empty()) co_return uint64_t{0};
  Result<source::UserAccountPtr> account = co_await context.services.registry->open(user.name);
  if (!account) co_return account.error();
  awaitable<Result<uint64_t>> there = fetch_missing(*account);
  co_return co_await asio::co_spawn((*account)->executor(), std::move(there), asio::use_awaitable);
}

awaitable<Result<storage::RepairReport>> mend(Context& context, control::User user, std::filesystem::path from,
                                              Progress& progress) {
  storage::RepairOptions options;
  options.epoch = user.placement.epoch;
  options.numbers_are_ours = user.placement.owner == control::Owner::local;
  options.from = std::move(from);
  options.progress = as_progress(progress, user.name);
  storage::Env* env = &context.services.env;
  const std::filesystem::path directory = source::account_directory(context.services.config.data_dir, user.name);
  auto outcome = std::make_shared<Result<storage::RepairReport>>(Failure(Errc::internal, "not begun"));
  {
    // An older directory is recognised by its files, which a repair may replace: opening jumps first. What does not
    // open is repaired as it is.
    Result<source::UserAccountPtr> opened = co_await context.services.registry->open(user.name);
  }
  auto work = [env, directory, options, outcome] { *outcome = storage::repair_store(*env, directory, options); };
  std::function<void()> when_closed = work;
  co_await context.services.registry->while_closed(user.name, "the account is being repaired; please reconnect",
                                                   std::move(when_closed));
  co_return std::move(*outcome);
}

awaitable<VerbResult> check_one(Context& context, std::string name, Mending mending, Progress& progress) {
  Result<control::User> user = co_await find_user(context, name);
  if (!user) co_return failed(name, user.error());
  std::optional<storage::RepairReport> repaired;
  uint64_t fetched = 0;
  std::string not_fetched;
  if (mending.asked) {
    auto done = co_await mend(context, *user, mending.from, progress);
    if (!done && done.error().code != Errc::not_found) co_return failed(name, done.error());
    if (done) {
      repaired = std::move(*done);
      auto got = co_await fetch_from_source(context, *user);
      if (got) fetched = *got;
      if (!got) not_fetched = got.error().note;
    }
  }
  Lsn until(UINT64_MAX);
  if (context.sessions != nullptr) {
    // A server may have the store open and be writing to it. What does not open is checked as it lies there.
    Result<source::UserAccountPtr> account = co_await context.services.registry->open(name);
    if (account) {
      awaitable<Lsn> there = durable_of(*account);
      until = co_await asio::co_spawn((*account)->executor(), std::move(there), asio::use_awaitable);
    }
  }
  storage::Env* env = &context.services.env;
  const std::filesystem::path directory = source::account_directory(context.services.config.data_dir, name);
  auto lease = std::make_shared<source::LogLease>(context.services.control, name, directory / "log");
  auto told = as_progress(progress, name);
  const bool settled = until == Lsn(UINT64_MAX) && !mending.asked;
  auto work = [env, directory, until, told, lease, settled] {
    Result<storage::CheckReport> report = storage::check_store(*env, directory, told, until);
    if (report && settled) add_restored(*lease, *report);
    return report;
  };
  Result<storage::CheckReport> report = co_await wire::net::run_on_pool(context.services.blocking, work);
  // Nobody has logged in or synced yet: there is nothing that could be wrong.
  if (!report && report.error().code == Errc::not_found) report = storage::CheckReport();
  if (!report) co_return failed(name, report.error());
  VerbResult out = render_check(name, *report, env->now());
  if (repaired) render_repair(*repaired, fetched, out);
  if (!not_fetched.empty()) out.text += "  the source could not be asked for lost messages: " + not_fetched + "\n";
  co_return out;
}

}  // namespace

awaitable<VerbResult> doctor(Context& context, json::object args, Progress& progress) {
  Args a(args);
  std::vector<std::string> users = a.texts("users");
  Mending mending;
  mending.asked = a.flag("repair");
  mending.from = a.optional_text("from").value_or("");
  if (const auto problem = a.problem()) co_return failed(*problem);
  if (!mending.from.empty() && (!mending.asked || users.size() != 1)) {
    co_return failed(Failure(Errc::usage, "--from goes with --repair of one account"));
  }
  Context* c = &context;
  Progress* p = &progress;
  const Job job = [c, p, mending](std::string user) { return check_one(*c, std::move(user), mending, *p); };
  co_return co_await for_users(context, std::move(users), false, job);
}

}  // namespace gateway::admin
