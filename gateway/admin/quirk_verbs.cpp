#include "gateway/admin/quirk_verbs.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "gateway/admin/args.h"
#include "quirks/rules.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;

void add_problems(const quirks::LoadedRules& rules, VerbResult& out) {
  json::array list;
  for (const quirks::RuleProblem& p : rules.problems) {
    json::object o;
    o["file"] = p.file;
    o["line"] = p.line;
    o["what"] = p.what;
    list.push_back(std::move(o));
    out.text += p.file + ":" + std::to_string(p.line) + ": " + p.what + "\n";
  }
  if (!rules.problems.empty()) out.exit = Exit::usage;
  out.json["problems"] = std::move(list);
}

}  // namespace

VerbResult quirks_list(const config::Config& config) {
  const quirks::LoadedRules rules = quirks::load_rules(config.quirk_rules);
  VerbResult out;
  json::array list;
  for (const quirks::Rule& rule : rules.rules) {
    json::object o;
    o["id"] = rule.id;
    o["group"] = rule.group;
    o["mode"] = std::string(quirks::to_string(rule.mode));
    o["file"] = rule.file;
    o["summary"] = rule.summary;
    list.push_back(std::move(o));
    out.text += rule.id + "\t" + std::string(quirks::to_string(rule.mode)) + "\t" + rule.summary + "\n";
  }
  out.json["rules"] = std::move(list);
  add_problems(rules, out);
  return out;
}

VerbResult quirks_check(const config::Config& config, const json::object& args) {
  Args a(args);
  std::vector<std::filesystem::path> files;
  for (const std::string& f : a.texts("files")) files.emplace_back(f);
  if (const auto problem = a.problem()) return failed(*problem);
  const quirks::LoadedRules rules = quirks::load_rules(files.empty() ? config.quirk_rules : files);
  VerbResult out;
  out.json["rules"] = rules.rules.size();
  add_problems(rules, out);
  if (rules.problems.empty()) out.text = std::to_string(rules.rules.size()) + " rules, all sound.\n";
  return out;
}

}  // namespace gateway::admin
