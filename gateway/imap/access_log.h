// One line for every command that names a mailbox (design 10): who asked what of which mailbox, how much came of it,
// how long it took. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "wire/base/failure.h"

namespace gateway::imap {

struct AccessRecord {
  std::string user, client, command, mailbox;
  std::string result;  // OK, NO, BAD
  uint64_t count = 0;  // messages or mailboxes that the answer is about
  uint64_t microseconds = 0;
  uint64_t bytes_in = 0, bytes_out = 0;
};

class AccessLog {
 public:
  virtual ~AccessLog() = default;
  virtual void write(const AccessRecord& record) = 0;
};

// {"time":"2026-11-21T22:00:00.123Z","user":...} a line; octets of names that are not UTF-8 are escaped as \u00NN.
std::string to_json_line(const AccessRecord& record, int64_t unix_milliseconds);

// Appends lines to a file, one write(2) a line. A full disk drops lines, never commands.
class AccessLogFile final : public AccessLog {
 public:
  static wire::base::Result<std::unique_ptr<AccessLogFile>> open(const std::filesystem::path& file);
  ~AccessLogFile() override;
  void write(const AccessRecord& record) override;
  wire::base::Result<void> reopen();  // after a rotation
  uint64_t dropped() const;

 private:
  AccessLogFile(std::filesystem::path file, int fd) : file_(std::move(file)), fd_(fd) {}
  const std::filesystem::path file_;
  mutable std::mutex mutex_;
  int fd_;
  uint64_t dropped_ = 0;
};

}  // namespace gateway::imap
