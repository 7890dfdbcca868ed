#include "gateway/config/section.h"

#include <algorithm>

namespace gateway::config {

namespace {

uint32_t line_of(const toml::node& n) { return n.source().begin.line; }

// Levenshtein distance, bounded words only: keys of a configuration.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::set<std::string, std::less<>>& names) {
  std::string best;
  size_t least = word.size() > 64 ? 0 : std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& name : names) {
    const bool begun = word.size() >= 4 && name.starts_with(word);
    if (const size_t d = begun ? 1 : distance(word.substr(0, 64), name); d < least) {
      least = d;
      best = name;
    }
  }
  return best;
}

Section::Section(Problems& problems, const toml::table* table, std::string path, uint32_t line)
    : problems_(problems), table_(table), path_(std::move(path)), line_(line) {}

Section::~Section() {
  if (table_ == nullptr) return;
  for (const auto& [key, value] : *table_) {
    if (known_.contains(key.str())) continue;
    const std::string close = nearest(key.str(), known_);
    problems_.warning(line_of(value) != 0 ? key.source().begin.line : line_, name_of(key.str()) + " is not a setting",
                      close.empty() ? "remove it" : "did you mean " + name_of(close) + "?");
  }
}

std::string Section::name_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const toml::node* Section::get(std::string_view key) {
  known_.emplace(key);
  return table_ == nullptr ? nullptr : table_->get(key);
}

void Section::wrong_type(std::string_view key, const toml::node& node, std::string_view wanted) {
  problems_.error(line_of(node), name_of(key) + " has the wrong type", "it takes " + std::string(wanted));
}

uint32_t Section::text(std::string_view key, std::string& out) {
  const toml::node* n = get(key);
  if (n == nullptr) return 0;
  const auto* v = n->as_string();
  if (v == nullptr) {
    wrong_type(key, *n, "a text in quotes");
    return 0;
  }
  out = v->get();
  return line_of(*n);
}

uint32_t Section::path(std::string_view key, std::filesystem::path& out) {
  std::string value;
  const uint32_t at = text(key, value);
  if (at == 0) return 0;
  if (value.empty() || value.find('\0') != std::string::npos) {
    problems_.error(at, name_of(key) + " is not a path", "give the path of a file");
    return 0;
  }
  out = (base_ / value).lexically_normal();
  return at;
}

uint32_t Section::flag(std::string_view key, bool& out) {
  const toml::node* n = get(key);
  if (n == nullptr) return 0;
  const auto* v = n->as_boolean();
  if (v == nullptr) {
    wrong_type(key, *n, "true or false");
    return 0;
  }
  out = v->get();
  return line_of(*n);
}

uint32_t Section::number(std::string_view key, uint64_t& out, uint64_t max) {
  const toml::node* n = get(key);
  if (n == nullptr) return 0;
  const auto* v = n->as_integer();
  if (v == nullptr || v->get() < 0 || static_cast<uint64_t>(v->get()) > max) {
    wrong_type(key, *n, "a whole number from 0 to " + std::to_string(max));
    return 0;
  }
  out = static_cast<uint64_t>(v->get());
  return line_of(*n);
}

uint32_t Section::number(std::string_view key, uint32_t& out, uint32_t max) {
  uint64_t wide = 0;
  const uint32_t at = number(key, wide, uint64_t{max});
  if (at != 0) out = static_cast<uint32_t>(wide);
  return at;
}

uint32_t Section::texts(std::string_view key, std::vector<std::string>& out) {
  const toml::node* n = get(key);
  if (n == nullptr) return 0;
  const toml::array* list = n->as_array();
  std::vector<std::string> values;
  bool all = list != nullptr;
  if (all) {
    for (const toml::node& item : *list) {
      const auto* v = item.as_string();
      all = all && v != nullptr;
      if (v != nullptr) values.push_back(v->get());
    }
  }
  if (!all) {
    wrong_type(key, *n, "a list of texts: [\"a\", \"b\"]");
    return 0;
  }
  out = std::move(values);
  return line_of(*n);
}

const toml::table* Section::table(std::string_view key, uint32_t& line) {
  line = 0;
  const toml::node* n = get(key);
  if (n == nullptr) return nullptr;
  line = line_of(*n);
  if (n->as_table() == nullptr) wrong_type(key, *n, "a table");
  return n->as_table();
}

std::vector<std::pair<const toml::table*, uint32_t>> Section::tables(std::string_view key) {
  std::vector<std::pair<const toml::table*, uint32_t>> out;
  const toml::node* n = get(key);
  if (n == nullptr) return out;
  const toml::array* list = n->as_array();
  if (list == nullptr || !list->is_homogeneous(toml::node_type::table)) {
    wrong_type(key, *n, "tables, each under [[" + std::string(key) + "]]");
    return out;
  }
  for (const toml::node& item : *list) out.emplace_back(item.as_table(), line_of(item));
  return out;
}

}  // namespace gateway::config
