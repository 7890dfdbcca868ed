#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "quirks/rules.h"

namespace quirks {

namespace {

constexpr uintmax_t max_file_bytes = 1 << 20;
constexpr size_t max_rules = 10'000;

struct Flag {
  std::string_view name;
  void (*set)(Profile&, bool);
};

constexpr std::array flags{
    Flag{"select_instead_of_examine", [](Profile& p, bool v) { p.select_instead_of_examine = v; }},
    Flag{"no_starttls", [](Profile& p, bool v) { p.no_starttls = v; }},
    Flag{"no_compress", [](Profile& p, bool v) { p.no_compress = v; }},
    Flag{"no_condstore", [](Profile& p, bool v) { p.no_condstore = v; }},
    Flag{"no_qresync", [](Profile& p, bool v) { p.no_qresync = v; }},
    Flag{"no_list_status", [](Profile& p, bool v) { p.no_list_status = v; }},
    Flag{"no_esearch", [](Profile& p, bool v) { p.no_esearch = v; }},
    Flag{"leave_before_delete", [](Profile& p, bool v) { p.leave_before_delete = v; }},
    Flag{"noop_after_append", [](Profile& p, bool v) { p.noop_after_append = v; }},
    Flag{"append_bytes_unchanged", [](Profile& p, bool v) { p.append_bytes_unchanged = v; }},
    Flag{"lenient_bare_lf", [](Profile& p, bool v) { p.leniency.bare_lf = v; }},
    Flag{"lenient_extra_space", [](Profile& p, bool v) { p.leniency.extra_space = v; }},
    Flag{"lenient_no_status_text", [](Profile& p, bool v) { p.leniency.no_status_text = v; }},
    Flag{"lenient_eight_bit", [](Profile& p, bool v) { p.leniency.eight_bit = v; }},
    Flag{"lenient_flags", [](Profile& p, bool v) { p.leniency.loose_flags = v; }},
    Flag{"lenient_date", [](Profile& p, bool v) { p.leniency.loose_date = v; }},
    Flag{"lenient_response", [](Profile& p, bool v) { p.leniency.bad_response = v; }},
};

struct Count {
  std::string_view name;
  void (*set)(Profile&, uint32_t);
};

constexpr std::array counts{
    Count{"max_command_line", [](Profile& p, uint32_t v) { p.max_command_line = v; }},
    Count{"max_connections_per_user", [](Profile& p, uint32_t v) { p.max_connections_per_user = v; }},
};

uint32_t line_of(const toml::node& n) { return n.source().begin.line; }

// Reads one [[rule]]; complains through `bad`, which also marks the rule as unusable.
class Reader {
 public:
  Reader(LoadedRules& out, std::string file) : out_(out), file_(std::move(file)) {}

  void read(const toml::table& t) {
    good_ = true;
    Rule rule;
    rule.file = file_;
    rule.line = line_of(t);
    for (const auto& [key, value] : t) {
      const std::string_view name = key.str();
      if (name == "id")
        rule.id = text(name, value);
      else if (name == "group")
        rule.group = text(name, value);
      else if (name == "summary")
        rule.summary = text(name, value);
      else if (name == "evidence")
        rule.evidence = text(name, value);
      else if (name == "mode")
        rule.mode = mode(value);
      else if (name == "match")
        read_match(value, rule.match);
      else if (name == "set")
        read_set(value, rule);
      else
        bad(value, std::string(name) + " is not a key of a rule");
    }
    if (rule.id.empty() || rule.summary.empty() || rule.evidence.empty()) {
      bad(t, "a rule needs id, summary and evidence");
    }
    if (!t.contains("match")) bad(t, "a rule needs a match: one that fits every server is a mistake");
    if (good_) out_.rules.push_back(std::move(rule));
  }

 private:
  void bad(const toml::node& n, std::string what) {
    good_ = false;
    out_.problems.push_back({file_, line_of(n), std::move(what)});
  }

  std::string text(std::string_view name, const toml::node& n) {
    const auto* v = n.as_string();
    if (v == nullptr || v->get().empty()) bad(n, std::string(name) + " takes a text");
    return v == nullptr ? std::string() : v->get();
  }

  std::vector<std::string> texts(std::string_view name, const toml::node& n) {
    std::vector<std::string> out;
    const toml::array* list = n.as_array();
    if (list == nullptr || list->empty()) {
      bad(n, std::string(name) + " takes a list of texts");
      return out;
    }
    for (const toml::node& item : *list) out.push_back(text(name, item));
    return out;
  }

  Mode mode(const toml::node& n) {
    const std::string v = text("mode", n);
    for (const Mode m : {Mode::on, Mode::observe, Mode::off}) {
      if (v == to_string(m)) return m;
    }
    bad(n, "mode is on, observe or off");
    return Mode::off;
  }

  void read_match(const toml::node& n, Match& m) {
    const toml::table* t = n.as_table();
    if (t == nullptr || t->empty()) {
      bad(n, "match takes a table with at least one condition");
      return;
    }
    for (const auto& [key, value] : *t) {
      const std::string_view name = key.str();
      if (name == "upstream")
        m.upstream = text(name, value);
      else if (name == "host")
        m.host = text(name, value);
      else if (name == "banner")
        m.banner = text(name, value);
      else if (name == "capability")
        m.capabilities = texts(name, value);
      else if (name == "without_capability")
        m.without = texts(name, value);
      else if (name == "examine_uidvalidity_changes")
        m.examine_uidvalidity_changes = flag(name, value);
      else if (name == "id")
        read_id(value, m);
      else
        bad(value, std::string(name) + " is not a condition");
    }
  }

  void read_id(const toml::node& n, Match& m) {
    const toml::table* t = n.as_table();
    if (t == nullptr || t->empty()) {
      bad(n, "id takes a table: id = { name = \"Cyrus*\" }");
      return;
    }
    for (const auto& [key, value] : *t) m.id[std::string(key.str())] = text("id", value);
  }

  bool flag(std::string_view name, const toml::node& n) {
    const auto* v = n.as_boolean();
    if (v == nullptr) bad(n, std::string(name) + " takes true or false");
    return v != nullptr && v->get();
  }

  void read_set(const toml::node& n, Rule& rule) {
    const toml::table* t = n.as_table();
    if (t == nullptr) {
      bad(n, "set takes a table");
      return;
    }
    for (const auto& [key, value] : *t) {
      const std::string_view name = key.str();
      const auto f = std::find_if(flags.begin(), flags.end(), [name](const Flag& e) { return e.name == name; });
      if (f != flags.end()) {
        rule.set.push_back([set = f->set, on = flag(name, value)](Profile& p) { set(p, on); });
        continue;
      }
      const auto c = std::find_if(counts.begin(), counts.end(), [name](const Count& e) { return e.name == name; });
      if (c == counts.end()) {
        bad(value, std::string(name) + " is not a value of the profile");
        continue;
      }
      const auto* v = value.as_integer();
      if (v == nullptr || v->get() < 0 || v->get() > INT32_MAX) {
        bad(value, std::string(name) + " takes a whole number");
        continue;
      }
      rule.set.push_back([set = c->set, n = static_cast<uint32_t>(v->get())](Profile& p) { set(p, n); });
    }
  }

  LoadedRules& out_;
  const std::string file_;
  bool good_ = true;
};

void add(LoadedRules& all, LoadedRules more) {
  for (Rule& rule : more.rules) {
    const auto same = [&rule](const Rule& r) { return r.id == rule.id; };
    all.rules.erase(std::remove_if(all.rules.begin(), all.rules.end(), same), all.rules.end());
    all.rules.push_back(std::move(rule));
  }
  for (RuleProblem& p : more.problems) all.problems.push_back(std::move(p));
}

void add_file(LoadedRules& all, const std::filesystem::path& file) {
  std::error_code ec;
  const uintmax_t size = std::filesystem::file_size(file, ec);
  std::ifstream in(file, std::ios::binary);
  if (ec || !in || size > max_file_bytes) {
    all.problems.push_back({file.string(), 0, ec || !in ? "cannot be read" : "is larger than 1 MiB"});
    return;
  }
  std::ostringstream text;
  text << in.rdbuf();
  add(all, parse_rules(text.str(), file.string()));
}

}  // namespace

LoadedRules parse_rules(std::string_view toml, const std::string& file) {
  LoadedRules out;
  const toml::parse_result parsed = toml::parse(toml, file);
  if (!parsed) {
    out.problems.push_back({file, parsed.error().source().begin.line, std::string(parsed.error().description())});
    return out;
  }
  Reader reader(out, file);
  for (const auto& [key, value] : parsed.table()) {
    const toml::array* list = value.as_array();
    if (key.str() != "rule" || list == nullptr || list->size() > max_rules) {
      out.problems.push_back({file, line_of(value), std::string(key.str()) + " does not belong here: write [[rule]]"});
      continue;
    }
    for (const toml::node& item : *list) {
      if (const toml::table* t = item.as_table()) {
        reader.read(*t);
      } else {
        out.problems.push_back({file, line_of(item), "a rule is a table: write [[rule]]"});
      }
    }
  }
  return out;
}

LoadedRules load_rules(std::span<const std::filesystem::path> files) {
  LoadedRules all;
  for (const BuiltIn& b : built_in_rules()) add(all, parse_rules(b.text, "built-in/" + std::string(b.name)));
  for (const std::filesystem::path& file : files) {
    std::error_code ec;
    if (!std::filesystem::is_directory(file, ec)) {
      add_file(all, file);
      continue;
    }
    std::vector<std::filesystem::path> inside;
    for (const auto& entry : std::filesystem::directory_iterator(file, ec)) {
      if (entry.path().extension() == ".toml") inside.push_back(entry.path());
    }
    std::sort(inside.begin(), inside.end());
    for (const auto& one : inside) add_file(all, one);
  }
  return all;
}

}  // namespace quirks
