// The program's log: one line an event on standard error, as JSON or as text. Any thread; outlives everything that
// logs. Secrets never reach it; what strangers said is escaped (Failure::describe).
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace spdlog {
class logger;
}

namespace gateway {

class Log {
 public:
  using Field = std::pair<std::string_view, std::string>;
  using Fields = std::initializer_list<Field>;

  // `format`: "json" or "text"; `level`: trace, debug, info, warning, error, off.
  Log(const std::string& format, const std::string& level);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void debug(std::string_view message, Fields fields = {});
  void info(std::string_view message, Fields fields = {});
  // Something an operator should look at, and the program goes on.
  void warning(std::string_view message, Fields fields = {});
  // A fault of ours or of the machine: empty in healthy operation (design 10).
  void error(std::string_view message, Fields fields = {});

  void set_level(const std::string& level);

 private:
  void write(int level, std::string_view message, Fields fields);
  const std::shared_ptr<spdlog::logger> logger_;  // spdlog's own interface wants it shared
};

// A JSON string with its quotes. Bytes that are not UTF-8 become \u00NN, so that the line stays valid.
std::string json_text(std::string_view s);

}  // namespace gateway
