#include "gateway/admin/check.h"

#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <cstring>

#include "gateway/control/seal.h"
#include "gateway/control/secret.h"
#include "quirks/rules.h"
#include "wire/net/tls.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;

void add(std::vector<config::Problem>& out, const config::Config& c, bool fatal, std::string what, std::string remedy) {
  config::Problem p;
  p.fatal = fatal;
  p.file = c.file.string();
  p.what = std::move(what);
  p.remedy = std::move(remedy);
  out.push_back(std::move(p));
}

void look_at_files(const config::Config& c, std::vector<config::Problem>& out) {
  if (!c.certificate.empty()) {
    const auto tls = wire::net::TlsServer::load(c.certificate.string(), c.key.string());
    if (!tls) add(out, c, true, tls.error().describe(), "give a PEM certificate and the key that belongs to it");
  }
  for (const auto& [name, upstream] : c.upstreams) {
    if (!upstream.admin) continue;
    const auto password = control::read_secret(upstream.admin->password_file);
    if (!password)
      add(out, c, true, password.error().note, "put the administrator's password of " + name + " on its first line");
  }
  std::error_code ec;
  if (std::filesystem::exists(c.data_dir, ec)) {
    if (::access(c.data_dir.c_str(), R_OK | W_OK | X_OK) != 0) {
      add(out, c, true, c.data_dir.string() + " cannot be written: " + std::strerror(errno),
          "give it to the user who runs fairlead");
    }
  } else {
    add(out, c, false, c.data_dir.string() + " does not exist yet", "nothing to do: it is made at the first use");
  }
  if (std::filesystem::exists(c.seal_key_file, ec)) {
    const auto seal = control::Seal::open(c.seal_key_file, false);
    if (!seal) add(out, c, true, seal.error().note, "see there");
  }
  const quirks::LoadedRules rules = quirks::load_rules(c.quirk_rules);
  for (const quirks::RuleProblem& p : rules.problems) {
    config::Problem problem;
    problem.file = p.file;
    problem.line = p.line;
    problem.what = p.what;
    problem.remedy = "correct the rule, or remove its file from quirks.rules";
    out.push_back(std::move(problem));
  }
}

}  // namespace

std::string problem_text(const config::Problem& p) {
  return p.file + (p.line != 0 ? ":" + std::to_string(p.line) : "") + (p.fatal ? ": error: " : ": warning: ") + p.what +
         (p.remedy.empty() ? "" : " (" + p.remedy + ")");
}

VerbResult check(const config::Loaded& loaded, bool effective) {
  std::vector<config::Problem> problems = loaded.problems;
  if (loaded.config) look_at_files(*loaded.config, problems);
  VerbResult out;
  json::array list;
  for (const config::Problem& p : problems) {
    if (p.fatal) out.exit = Exit::usage;
    json::object o;
    o["fatal"] = p.fatal;
    o["file"] = p.file;
    o["line"] = p.line;
    o["what"] = p.what;
    o["remedy"] = p.remedy;
    list.push_back(std::move(o));
    out.text += problem_text(p) + "\n";
  }
  out.json["ok"] = out.exit == Exit::done;
  out.json["problems"] = std::move(list);
  if (effective && loaded.config) {
    const std::string settings = config::effective(*loaded.config);
    out.json["effective"] = settings;
    out.text += settings;
  } else if (out.exit == Exit::done) {
    out.text += problems.empty() ? "The configuration is sound.\n" : "The configuration can be used.\n";
  }
  return out;
}

}  // namespace gateway::admin
