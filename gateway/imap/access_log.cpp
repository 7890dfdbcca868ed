#include "gateway/imap/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

namespace gateway::imap {
namespace {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_field(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"";
  out += name;
  out += "\":";
  append_string(out, text);
}

void append_field(std::string& out, std::string_view name, uint64_t number) {
  out += ",\"";
  out += name;
  out += "\":" + std::to_string(number);
}

Result<int> open_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return Failure(Errc::io, "cannot open the access log " + file.string() + ": " + std::strerror(errno));
  return fd;
}

}  // namespace

std::string to_json_line(const AccessRecord& record, int64_t unix_milliseconds) {
  const std::time_t seconds = unix_milliseconds / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char time[64];
  const size_t n = std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(time + n, sizeof time - n, ".%03dZ", static_cast<int>(unix_milliseconds % 1000));

  std::string out = "{\"time\":\"";
  out += time;
  out += '"';
  append_field(out, "user", record.user);
  append_field(out, "client", record.client);
  append_field(out, "command", record.command);
  append_field(out, "mailbox", record.mailbox);
  append_field(out, "result", record.result);
  append_field(out, "count", record.count);
  append_field(out, "us", record.microseconds);
  append_field(out, "bytes_in", record.bytes_in);
  append_field(out, "bytes_out", record.bytes_out);
  out += "}\n";
  return out;
}

Result<std::unique_ptr<AccessLogFile>> AccessLogFile::open(const std::filesystem::path& file) {
  auto fd = open_file(file);
  if (!fd) return fd.error();
  return std::unique_ptr<AccessLogFile>(new AccessLogFile(file, *fd));
}

AccessLogFile::~AccessLogFile() { ::close(fd_); }

void AccessLogFile::write(const AccessRecord& record) {
  using namespace std::chrono;
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  const std::string line = to_json_line(record, now);
  const std::lock_guard lock(mutex_);
  if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ++dropped_;
}

Result<void> AccessLogFile::reopen() {
  auto fd = open_file(file_);
  if (!fd) return fd.error();
  const std::lock_guard lock(mutex_);
  ::close(fd_);
  fd_ = *fd;
  return {};
}

uint64_t AccessLogFile::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace gateway::imap
