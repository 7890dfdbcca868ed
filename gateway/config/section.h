// One table of a configuration file being read: typed values, and every complaint with its line. Used by load.cpp only,
// the one file that pays for toml++. Problems are collected, never thrown: an operator sees all of them at once.
#pragma once

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/config.h"

namespace gateway::config {

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}
  void error(uint32_t line, std::string what, std::string remedy) { add(true, line, what, remedy); }
  void warning(uint32_t line, std::string what, std::string remedy) { add(false, line, what, remedy); }
  bool fatal() const { return fatal_; }
  std::vector<Problem> take() { return std::move(list_); }

 private:
  void add(bool is_fatal, uint32_t line, std::string& what, std::string& remedy) {
    fatal_ = fatal_ || is_fatal;
    list_.push_back({is_fatal, file_, line, std::move(what), std::move(remedy)});
  }
  std::string file_;
  std::vector<Problem> list_;
  bool fatal_ = false;
};

class Section {
 public:
  // `path` is how messages call it: "", "tls", "upstream[0].tls". A null table reads as empty.
  Section(Problems& problems, const toml::table* table, std::string path, uint32_t line);
  // Complains about every key that nobody asked for.
  ~Section();
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  // Each leaves `out` alone, and returns 0, when the key is absent or (with a complaint) of another type; else the
  // line.
  uint32_t text(std::string_view key, std::string& out);
  uint32_t path(std::string_view key, std::filesystem::path& out);  // relative: to the file's directory
  uint32_t flag(std::string_view key, bool& out);
  uint32_t number(std::string_view key, uint64_t& out, uint64_t max);
  uint32_t number(std::string_view key, uint32_t& out, uint32_t max = 1'000'000);
  uint32_t texts(std::string_view key, std::vector<std::string>& out);
  // One of the names in `table` ({name, value} pairs).
  template <class Enum, class Table>
  uint32_t choice(std::string_view key, Enum& out, const Table& names) {
    std::string value, all;
    const uint32_t at = text(key, value);
    if (at == 0) return 0;
    for (const auto& [name, e] : names) {
      if (value == name) {
        out = e;
        return at;
      }
      all += (all.empty() ? "" : ", ") + std::string(name);
    }
    problems_.error(at, name_of(key) + " = \"" + value + "\" is not known", "use one of: " + all);
    return 0;
  }
  // Absent: null, and a line of 0.
  const toml::table* table(std::string_view key, uint32_t& line);
  std::vector<std::pair<const toml::table*, uint32_t>> tables(std::string_view key);  // [[key]]

  std::string name_of(std::string_view key) const;
  uint32_t line() const { return line_; }
  void set_base(std::filesystem::path base) { base_ = std::move(base); }
  const std::filesystem::path& base() const { return base_; }

 private:
  const toml::node* get(std::string_view key);
  void wrong_type(std::string_view key, const toml::node& node, std::string_view wanted);

  Problems& problems_;
  const toml::table* table_;
  std::string path_;
  uint32_t line_;
  std::filesystem::path base_;
  std::set<std::string, std::less<>> known_;
};

// The closest of `names` when it is close enough to be a slip of the pen; empty otherwise.
std::string nearest(std::string_view word, const std::set<std::string, std::less<>>& names);

}  // namespace gateway::config
