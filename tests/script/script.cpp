#include "tests/script/script.h"

#include <cctype>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace tests::script {
namespace {

[[noreturn]] void fail(const std::string& name, int line, const std::string& what) {
  throw std::runtime_error(name + ":" + std::to_string(line) + ": " + what);
}

std::string upper(std::string s) {
  for (char& c : s) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return s;
}

bool ends_word(char c) { return c == ' ' || c == '(' || c == ')' || c == '[' || c == ']'; }

void read_header(Script& script, const std::string& line, int number) {
  const size_t colon = line.find(": ");
  if (colon == std::string::npos) fail(script.name, number, "expected 'name: value'");
  const std::string name = line.substr(0, colon), value = line.substr(colon + 2);
  if (name == "covers") {
    std::istringstream words(value);
    for (std::string word; words >> word;) script.covers.push_back(word);
  } else if (name == "login") {
    script.login = value != "no";
  } else {
    fail(script.name, number, "unknown header " + name);
  }
}

Script::Step read_step(const std::string& name, std::string line, int number) {
  Script::Step step;
  step.line = number;
  if (std::isdigit(static_cast<unsigned char>(line[0]))) {
    step.connection = line[0] - '0';
    line = line.substr(2);
  }
  const size_t space = line.find(' ');
  const std::string word = line.substr(0, space);
  step.text = space == std::string::npos ? std::string() : line.substr(space + 1);
  using Kind = Script::Step::Kind;
  if (word == "ok" || word == "no" || word == "bad") {
    step.condition = upper(word);
  } else if (word == "start") {
    step.kind = Kind::start;
  } else if (word == "end") {
    step.kind = Kind::end;
    step.condition = upper(step.text);
  } else if (word == "send") {
    step.kind = Kind::send;
  } else if (word == "read") {
    step.kind = Kind::read;
  } else if (word == "closed") {
    step.kind = Kind::closed;
  } else {
    fail(name, number, "unknown step: " + line);
  }
  return step;
}

struct Connection {
  Client client;
  unsigned next_tag = 1;
  std::string started;  // tag
  std::vector<std::string> untagged;
};

// Words taken by earlier replies, put into what is sent.
std::string fill_in(const std::string& text, const Captures& captures) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    while (text[i] == '$' && end < text.size() && std::isalnum(static_cast<unsigned char>(text[end]))) ++end;
    auto it = captures.find(std::string_view(text).substr(i + 1, end - i - 1));
    if (text[i] == '$' && it != captures.end()) {
      out += it->second;
      i = end;
    } else {
      out += text[i++];
    }
  }
  return out;
}

class Run {
 public:
  Run(const Script& script, TestGateway& gateway) : script_(script), gateway_(gateway) {}

  std::string all() {
    for (const auto& step : script_.steps) {
      std::string problem = one(step);
      if (!problem.empty()) return script_.name + ":" + std::to_string(step.line) + ": " + problem;
    }
    return {};
  }

 private:
  Connection& connection(int number) {
    auto it = connections_.find(number);
    if (it != connections_.end()) return *it->second;
    auto made = std::make_unique<Connection>(
        Connection{script_.login ? gateway_.connect_and_log_in() : gateway_.connect(), 1, std::string(), {}});
    return *connections_.emplace(number, std::move(made)).first->second;
  }

  std::string one(const Script::Step& step) {
    using Kind = Script::Step::Kind;
    Connection& c = connection(step.connection);
    switch (step.kind) {
      case Kind::send:
        c.client.send(fill_in(step.text, captures_) + "\r\n");
        return {};
      case Kind::start:
        c.started = tag(c);
        c.client.send(c.started + " " + fill_in(step.text, captures_) + "\r\n");
        return {};
      case Kind::read: {
        const std::string line = c.client.read_response();
        if (!matches(step.text, line, captures_)) return "expected '" + step.text + "', got '" + line + "'";
        return {};
      }
      case Kind::closed:
        return c.client.closed() ? std::string() : "the connection is open";
      case Kind::end:
        return judge(step, c.client.finish(c.started));
      case Kind::command: {
        const std::string t = tag(c);
        c.client.send(t + " " + fill_in(step.text, captures_) + "\r\n");
        return judge(step, c.client.finish(t));
      }
    }
    return "unknown step";
  }

  std::string tag(Connection& c) {
    return "c" + std::to_string(&c == connections_.begin()->second.get() ? 1 : 2) + "." + std::to_string(c.next_tag++);
  }

  std::string judge(const Script::Step& step, Client::Answer answer) {
    const std::string got = "\n  got: " + answer.tagged + [&] {
      std::string lines;
      for (const std::string& line : answer.untagged) lines += "\n       " + line;
      return lines;
    }();
    if (!answer.tagged.starts_with(step.condition + " ")) return "expected " + step.condition + got;
    if (step.tagged && !matches(*step.tagged, answer.tagged.substr(step.condition.size() + 1), captures_)) {
      return "expected the tagged text '" + *step.tagged + "'" + got;
    }
    for (const std::string& pattern : step.expected) {
      bool found = false;
      for (size_t i = 0; i < answer.untagged.size() && !found; ++i) {
        if (!matches(pattern, answer.untagged[i], captures_)) continue;
        answer.untagged.erase(answer.untagged.begin() + static_cast<long>(i));
        found = true;
      }
      if (!found) return "expected '" + pattern + "'" + got;
    }
    for (const std::string& pattern : step.forbidden) {
      for (const std::string& line : answer.untagged) {
        Captures scratch = captures_;
        if (matches(pattern, line, scratch)) return "'" + pattern + "' must not come" + got;
      }
    }
    return {};
  }

  const Script& script_;
  TestGateway& gateway_;
  std::map<int, std::unique_ptr<Connection>> connections_;
  Captures captures_;
};

}  // namespace

bool matches(std::string_view pattern, std::string_view text, Captures& captures) {
  Captures found = captures;
  size_t p = 0, t = 0;
  while (p < pattern.size()) {
    if (pattern[p] != '$' || p + 1 == pattern.size() ||
        !(std::isalnum(static_cast<unsigned char>(pattern[p + 1])) || pattern[p + 1] == '$')) {
      if (t == text.size() || pattern[p] != text[t]) return false;
      ++p, ++t;
      continue;
    }
    if (pattern[p + 1] == '$') {
      captures = std::move(found);
      return true;
    }
    size_t name_end = p + 1;
    while (name_end < pattern.size() && std::isalnum(static_cast<unsigned char>(pattern[name_end]))) ++name_end;
    size_t word_end = t;
    while (word_end < text.size() && !ends_word(text[word_end])) ++word_end;
    const std::string word(text.substr(t, word_end - t));
    if (word.empty()) return false;
    auto [it, fresh] = found.emplace(std::string(pattern.substr(p + 1, name_end - p - 1)), word);
    if (!fresh && it->second != word) return false;
    p = name_end, t = word_end;
  }
  if (t != text.size()) return false;
  captures = std::move(found);
  return true;
}

Script load_script(const std::filesystem::path& file) {
  Script script;
  script.name = file.filename().string();
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  bool header = true;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.starts_with('#')) continue;
    if (line.empty()) {
      header = header && script.covers.empty();
      continue;
    }
    if (header) {
      read_header(script, line, number);
      continue;
    }
    if (line.starts_with("* ") || line.starts_with("! ") || line.starts_with("< ")) {
      if (script.steps.empty()) fail(script.name, number, "an expectation without a command");
      auto& step = script.steps.back();
      if (line[0] == '*') step.expected.push_back(line);
      if (line[0] == '!') step.forbidden.push_back(line.substr(2));
      if (line[0] == '<') step.tagged = line.substr(2);
      continue;
    }
    auto step = read_step(script.name, line, number);
    while (step.text.ends_with("{{{")) {
      std::string literal;
      std::string rest;
      for (;;) {
        if (!std::getline(in, rest)) fail(script.name, number, "a literal without }}}");
        ++number;
        if (rest.starts_with("}}}")) break;
        literal += rest + "\r\n";
      }
      step.text.resize(step.text.size() - 3);
      step.text += "{" + std::to_string(literal.size()) + "+}\r\n" + literal + rest.substr(3);
    }
    script.steps.push_back(std::move(step));
  }
  if (script.covers.empty()) fail(script.name, number, "no 'covers:' header");
  return script;
}

std::string run_script(const Script& script, TestGateway& gateway) { return Run(script, gateway).all(); }

}  // namespace tests::script
