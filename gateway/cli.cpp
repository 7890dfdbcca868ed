#include "gateway/cli.h"

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstdio>
#include <thread>

#include "gateway/admin/check.h"
#include "gateway/admin/quirk_verbs.h"
#include "gateway/admin/socket.h"
#include "gateway/control/secret.h"
#include "gateway/progress_line.h"
#include "gateway/runtime.h"
#include "gateway/server.h"

namespace gateway {

namespace {

namespace json = boost::json;
using admin::Exit;
using admin::VerbResult;

// A server that starts, or another verb that is about to end, holds the lock for a moment: then it is worth a wait.
constexpr std::chrono::milliseconds lock_patience{2'000};
constexpr std::chrono::milliseconds lock_interval{50};

struct Given {
  std::filesystem::path config = "/etc/fairlead/fairlead.toml";
  bool json = false;
  std::string verb;  // of admin::verbs(), or "serve", "check", "quirks list", "quirks check"
  json::object args;
  std::string password_file;
  bool effective = false;
};

// Options of the verbs, kept while CLI11 parses into them.
struct Options {
  std::string user, upstream, directory, format, from;
  std::vector<std::string> users, aliases, accept, files;
  bool local = false, all = false, full = false, own = false, source = false, repair = false;
  uint64_t id = 0;
};

json::array list_of(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& t : texts) out.emplace_back(t);
  return out;
}

CLI::App* add_verb(CLI::App& parent, Given& given, const std::string& name, const std::string& about,
                   std::function<void(json::object&)> collect, const std::string& prefix = "") {
  CLI::App* sub = parent.add_subcommand(name, about);
  const std::string verb = prefix + name;
  sub->callback([&given, verb, collect = std::move(collect)] {
    given.verb = verb;
    if (collect) collect(given.args);
  });
  return sub;
}

void add_user_verbs(CLI::App& app, Given& given, Options& o) {
  CLI::App* user = app.add_subcommand("user", "accounts, their upstream and passwords");
  user->require_subcommand(1);
  const auto one = [&o](json::object& args) { args["user"] = o.user; };
  CLI::App* add = add_verb(
      *user, given, "add", "adds an account",
      [&o](json::object& args) {
        args["user"] = o.user;
        if (!o.upstream.empty()) args["upstream"] = o.upstream;
        args["local"] = o.local;
        args["aliases"] = list_of(o.aliases);
      },
      "user ");
  add->add_option("user", o.user)->required();
  CLI::Option* upstream = add->add_option("--upstream", o.upstream, "the [[upstream]] that has its mail");
  add->add_flag("--local", o.local, "its mail is here from the start")->excludes(upstream);
  add->add_option("--password-file", given.password_file,
                  "first line: the password at the upstream, or its own if local");
  add->add_option("--alias", o.aliases, "another name of the account");
  add_verb(*user, given, "list", "lists the accounts", nullptr, "user ");
  add_verb(*user, given, "show", "all about one account", one, "user ")->add_option("user", o.user)->required();
  add_verb(*user, given, "remove", "removes an account; its mail is kept aside", one, "user ")
      ->add_option("user", o.user)
      ->required();
  CLI::App* password = add_verb(
      *user, given, "password", "sets a password",
      [&o](json::object& args) {
        args["user"] = o.user;
        args["own"] = o.own;
        args["source"] = o.source;
      },
      "user ");
  password->add_option("user", o.user)->required();
  password->add_option("--password-file", given.password_file, "first line: the password; - for standard input")
      ->required();
  CLI::Option* own = password->add_flag("--own", o.own, "the account's own, checked here");
  password->add_flag("--source", o.source, "the one at the upstream, kept sealed (default where there is an upstream)")
      ->excludes(own);
}

void add_move_verbs(CLI::App& app, Given& given, Options& o) {
  const auto users = [&o](json::object& args) { args["users"] = list_of(o.users); };
  const auto many = [&o](json::object& args) {
    args["users"] = list_of(o.users);
    args["all"] = o.all;
  };
  const auto doctor_of = [&o](json::object& args) {
    args["users"] = list_of(o.users);
    args["repair"] = o.repair;
    // Relative to whoever asks, not to the server.
    if (!o.from.empty()) args["from"] = std::filesystem::absolute(o.from).string();
  };
  CLI::App* sync = add_verb(app, given, "sync", "brings the copy up to date with the source", many);
  sync->add_option("user", o.users);
  sync->add_flag("--all", o.all, "every account that has an upstream");
  CLI::App* verify = add_verb(app, given, "verify", "compares source and copy", [&o](json::object& args) {
    args["users"] = list_of(o.users);
    args["all"] = o.all;
    args["full"] = o.full;
  });
  verify->add_option("user", o.users);
  verify->add_flag("--all", o.all, "every account that has an upstream");
  verify->add_flag("--full", o.full, "compare the bytes of every message");
  CLI::App* cutover = add_verb(app, given, "cutover", "makes the local store the authority", [&o](json::object& args) {
    args["users"] = list_of(o.users);
    args["accept"] = list_of(o.accept);
  });
  cutover->add_option("user", o.users)->required();
  cutover->add_option("--accept", o.accept, "what may be left behind: shared,sieve,...")->delimiter(',');
  add_verb(app, given, "rollback", "makes the source the authority again", users)
      ->add_option("user", o.users)
      ->required();
  CLI::App* doctor = add_verb(app, given, "doctor", "checks the stores of accounts", doctor_of);
  doctor->add_option("user", o.users)->required();
  doctor->add_flag("--repair", o.repair,
                   "mend what is damaged; what is taken out goes to quarantine/ beside the store");
  doctor->add_option("--from", o.from,
                     "an older copy of the account's directory: lost messages' bytes are taken from it");
  CLI::App* compact = add_verb(app, given, "compact", "gives the space of removed mail back now", many);
  compact->add_option("user", o.users);
  compact->add_flag("--all", o.all, "every account");
  CLI::App* probe = add_verb(app, given, "probe", "finds out what an upstream is and proves", [&o](json::object& args) {
    args["upstream"] = o.upstream;
    if (!o.user.empty()) args["user"] = o.user;
  });
  probe->add_option("upstream", o.upstream)->required();
  probe->add_option("--user", o.user, "log in as this user");
  probe->add_option("--password-file", given.password_file, "first line: the user's password at the upstream");
}

void add_backup_verbs(CLI::App& app, Given& given, Options& o) {
  CLI::App* backup = app.add_subcommand("backup", "holds stores as they are while they are copied");
  backup->require_subcommand(1);
  const auto users = [&o](json::object& args) { args["users"] = list_of(o.users); };
  add_verb(*backup, given, "begin", "nothing is rewritten or removed from here on", users, "backup ")
      ->add_option("user", o.users)
      ->required();
  add_verb(*backup, given, "end", "space is given back again", users, "backup ")
      ->add_option("user", o.users)
      ->required();
}

void add_archive_verbs(CLI::App& app, Given& given, Options& o) {
  const auto collect = [&o](json::object& args) {
    args["user"] = o.user;
    // A server may do it, and it stands elsewhere.
    std::error_code ec;
    args["directory"] = std::filesystem::absolute(o.directory, ec).string();
    if (!o.format.empty()) args["format"] = o.format;
  };
  CLI::App* out = add_verb(app, given, "export", "writes an account's mail as Maildir or mbox", collect);
  out->add_option("user", o.user)->required();
  out->add_option("directory", o.directory, "a new or empty folder")->required();
  out->add_option("--format", o.format, "maildir (default) or mbox");
  CLI::App* in =
      add_verb(app, given, "import", "reads Maildir or mbox into an account that is served from here", collect);
  in->add_option("user", o.user)->required();
  in->add_option("directory", o.directory, "an export, or a folder of Maildirs or mboxes from elsewhere")->required();
  in->add_option("--format", o.format, "maildir or mbox; absent: as it looks");
}

void add_other_verbs(CLI::App& app, Given& given, Options& o) {
  add_verb(app, given, "serve", "runs the gateway in the foreground", nullptr);
  add_verb(app, given, "check", "reads the configuration and reports every problem", nullptr)
      ->add_flag("--effective", given.effective, "print the settings in force");
  add_verb(app, given, "status", "state, owner, lag and last error of accounts", [&o](json::object& args) {
    args["users"] = list_of(o.users);
  })->add_option("user", o.users);
  add_verb(app, given, "finalize-format", "writes accounts in the newest format: no way back to older builds", nullptr);
  add_verb(app, given, "who", "lists the live sessions", nullptr);
  CLI::App* kick = add_verb(app, given, "kick", "ends live sessions", [&o](json::object& args) {
    if (!o.user.empty()) args["user"] = o.user;
    if (o.id != 0) args["id"] = o.id;
  });
  CLI::Option* user = kick->add_option("user", o.user);
  kick->add_option("--id", o.id, "one session, as listed by who")->excludes(user);
  CLI::App* quirks = app.add_subcommand("quirks", "the rules about odd servers");
  quirks->require_subcommand(1);
  add_verb(*quirks, given, "list", "lists the rules", nullptr, "quirks ");
  add_verb(
      *quirks, given, "check", "checks rule files", [&o](json::object& args) { args["files"] = list_of(o.files); },
      "quirks ")
      ->add_option("file", o.files, "rule files or folders; absent: those of the configuration");
}

int print(const Given& given, const VerbResult& result) {
  // The document on standard output, whatever it says; for people, what could not be done goes to standard error.
  if (given.json) {
    std::fputs((json::serialize(result.json) + "\n").c_str(), stdout);
  } else {
    const bool answer = result.exit == Exit::done || result.exit == Exit::no;
    std::fputs((answer ? result.text : "fairlead: " + result.text).c_str(), answer ? stdout : stderr);
  }
  std::fflush(stdout);
  return static_cast<int>(result.exit);
}

int print(const Given& given, const Failure& why) { return print(given, admin::failed(why)); }

awaitable<void> ask_server(std::filesystem::path socket, std::string verb, json::object args, ProgressLine& progress,
                           std::optional<Result<VerbResult>>& out) {
  Result<VerbResult> answer =
      co_await admin::call_server(std::move(socket), std::move(verb), std::move(args), progress);
  out.emplace(std::move(answer));
}

Result<VerbResult> through_server(const Given& given, const config::Config& config, ProgressLine& progress) {
  asio::io_context context(1);
  std::optional<Result<VerbResult>> out;
  auto done = asio::co_spawn(context, ask_server(config.admin_socket(), given.verb, given.args, progress, out),
                             asio::use_future);
  context.run();
  done.get();
  return std::move(*out);
}

// With a server: it does the work. Without: under the lock of the data directory, in this process.
int run_verb(const Given& given, std::shared_ptr<const config::Config> config) {
  ProgressLine progress;
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    Result<VerbResult> answer = through_server(given, *config, progress);
    progress.finish();
    if (answer) return print(given, *answer);
    if (answer.error().code != Errc::not_found) return print(given, answer.error());
    Result<DataLock> lock = DataLock::take(config->data_dir);
    if (lock) {
      Log log("text", "warning");
      Result<std::unique_ptr<Runtime>> runtime = Runtime::start(config, std::move(*lock), log);
      if (!runtime) return print(given, runtime.error());
      admin::Context context{(*runtime)->services(), (*runtime)->passwords(), nullptr};
      const VerbResult result = (*runtime)->run(admin::find_verb(given.verb)->run(context, given.args, progress));
      progress.finish();
      const int code = print(given, result);
      if (!(*runtime)->stop()) std::_Exit(code);
      return code;
    }
    if (lock.error().code != Errc::unavailable || std::chrono::steady_clock::now() - start > lock_patience) {
      return print(given, lock.error());
    }
    std::this_thread::sleep_for(lock_interval);
  }
}

void print_problems(const std::vector<config::Problem>& problems) {
  for (const config::Problem& p : problems) {
    if (p.fatal) std::fputs((admin::problem_text(p) + "\n").c_str(), stderr);
  }
}

int run(Given& given) {
  config::Loaded loaded = config::load(given.config);
  if (given.verb == "check") return print(given, admin::check(loaded, given.effective));
  if (!loaded.config) {
    if (!given.json) print_problems(loaded.problems);
    return print(given, Failure(Errc::usage, "the configuration " + given.config.string() + " cannot be used"));
  }
  auto config = std::make_shared<const config::Config>(std::move(*loaded.config));
  if (given.verb == "quirks list") return print(given, admin::quirks_list(*config));
  if (given.verb == "quirks check") return print(given, admin::quirks_check(*config, given.args));
  harden_process();
  if (given.verb == "serve") {
    Log log(config->log_format, config->log_level);
    for (const config::Problem& p : loaded.problems) {
      log.warning(p.what, {{"file", p.file}, {"line", std::to_string(p.line)}, {"remedy", p.remedy}});
    }
    return static_cast<int>(serve(config, log));
  }
  if (!given.password_file.empty()) {
    Result<control::Secret> password = control::read_secret(given.password_file);
    if (!password) return print(given, password.error());
    given.args["password"] = password->value();
  }
  return run_verb(given, config);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  Given given;
  Options options;
  CLI::App app("Fairlead: a mail gateway that moves accounts off old servers while people read their mail", "fairlead");
  app.set_version_flag("--version", "fairlead " FAIRLEAD_VERSION);
  app.option_defaults()->always_capture_default(false);
  app.fallthrough();  // global options may stand after the verb too
  app.add_option("--config", given.config, "the configuration (default /etc/fairlead/fairlead.toml)");
  app.add_flag("--json", given.json, "one JSON document on standard output");
  app.require_subcommand(1);
  add_other_verbs(app, given, options);
  add_user_verbs(app, given, options);
  add_move_verbs(app, given, options);
  add_archive_verbs(app, given, options);
  add_backup_verbs(app, given, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const std::vector<std::string> unknown = app.remaining();
    if (e.get_name() == "RequiredError" && !unknown.empty()) {
      std::fprintf(stderr, "fairlead: there is no verb %s (fairlead --help lists them)\n",
                   wire::base::escape(unknown.front(), 60).c_str());
      return static_cast<int>(Exit::usage);
    }
    const int code = app.exit(e);
    return code == 0 ? 0 : static_cast<int>(Exit::usage);
  }
  try {
    return run(given);
  } catch (const std::exception& e) {
    return print(given, Failure(Errc::internal, e.what()));
  }
}

}  // namespace gateway
