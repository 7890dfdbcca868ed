#include "gateway/log.h"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <ctime>

namespace gateway {

namespace {

spdlog::level::level_enum level_of(const std::string& name) {
  return name == "warning" ? spdlog::level::warn : spdlog::level::from_str(name == "error" ? "err" : name);
}

std::string timestamp(std::chrono::system_clock::time_point now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[40];
  const size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return std::string(text, n) + "." + std::to_string(1000 + ms).substr(1) + "Z";
}

const char* name_of(spdlog::level::level_enum l) {
  switch (l) {
    case spdlog::level::trace:
      return "trace";
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warning";
    default:
      return "error";
  }
}

// The length of the UTF-8 sequence at s[i], or 0.
size_t utf8_length(std::string_view s, size_t i) {
  const auto b = static_cast<unsigned char>(s[i]);
  const size_t n = b < 0x80 ? 1 : b >= 0xc2 && b < 0xe0 ? 2 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xf0 && b < 0xf5 ? 4 : 0;
  if (n == 0 || i + n > s.size()) return 0;
  for (size_t k = 1; k < n; ++k) {
    if ((static_cast<unsigned char>(s[i + k]) & 0xc0) != 0x80) return 0;
  }
  return n;
}

}  // namespace

std::string json_text(std::string_view s) {
  constexpr char hex[] = "0123456789abcdef";
  std::string out = "\"";
  for (size_t i = 0; i < s.size();) {
    const auto b = static_cast<unsigned char>(s[i]);
    const size_t n = utf8_length(s, i);
    if (b == '"' || b == '\\') {
      out += '\\';
      out += s[i++];
    } else if (n == 0 || b < 0x20 || b == 0x7f) {
      out += std::string("\\u00") + hex[b >> 4] + hex[b & 15];
      ++i;
    } else {
      out += s.substr(i, n);
      i += n;
    }
  }
  return out + '"';
}

namespace {

// The fields of the event that this thread is writing: spdlog's interface has no room for them.
thread_local const Log::Fields* current_fields = nullptr;

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(bool json) : json_(json) {}
  void format(const spdlog::details::log_msg& m, spdlog::memory_buf_t& out) override {
    const std::string_view message(m.payload.data(), m.payload.size());
    std::string line;
    if (json_) {
      line = "{\"time\":\"" + timestamp(m.time) + "\",\"level\":\"" + name_of(m.level) +
             "\",\"message\":" + json_text(message);
    } else {
      line = timestamp(m.time) + " " + name_of(m.level) + " " + std::string(message);
    }
    if (current_fields != nullptr) {
      for (const auto& [key, value] : *current_fields) {
        line += json_ ? "," + json_text(key) + ":" + json_text(value) : " " + std::string(key) + "=" + json_text(value);
      }
    }
    line += json_ ? "}\n" : "\n";
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LineFormatter>(json_); }

 private:
  const bool json_;
};

}  // namespace

Log::Log(const std::string& format, const std::string& level)
    : logger_(std::make_shared<spdlog::logger>("fairlead", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_formatter(std::make_unique<LineFormatter>(format != "text"));
  logger_->set_level(level_of(level));
  logger_->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(logger_);
}

Log::~Log() = default;

void Log::set_level(const std::string& level) { logger_->set_level(level_of(level)); }

void Log::write(int level, std::string_view message, Fields fields) {
  current_fields = &fields;
  logger_->log(static_cast<spdlog::level::level_enum>(level), spdlog::string_view_t(message.data(), message.size()));
  current_fields = nullptr;
}

void Log::debug(std::string_view message, Fields fields) { write(spdlog::level::debug, message, fields); }
void Log::info(std::string_view message, Fields fields) { write(spdlog::level::info, message, fields); }
void Log::warning(std::string_view message, Fields fields) { write(spdlog::level::warn, message, fields); }
void Log::error(std::string_view message, Fields fields) { write(spdlog::level::err, message, fields); }

}  // namespace gateway
