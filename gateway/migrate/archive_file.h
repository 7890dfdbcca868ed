// Files of an archive: buffered output and bounded input with Result instead of exceptions. Blocking: on the pool.
// One thread at a time.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "wire/base/failure.h"

namespace gateway::migrate {

using wire::base::Result;

// A new file (never one that is there), 0600. Errors are kept and told by close().
class OutFile {
 public:
  OutFile() = default;
  OutFile(OutFile&& o) noexcept;
  OutFile& operator=(OutFile&& o) noexcept;
  ~OutFile();
  static Result<OutFile> create(const std::filesystem::path& path);
  Result<void> write(std::string_view bytes);
  uint64_t size() const { return size_; }
  void set_time(int64_t seconds);  // its modification time, when it is closed
  Result<void> close();

 private:
  Result<void> flush();
  int fd_ = -1;
  std::string path_, buffer_;
  uint64_t size_ = 0;
  std::optional<int64_t> time_;
};

class InFile {
 public:
  InFile() = default;
  InFile(InFile&& o) noexcept;
  InFile& operator=(InFile&& o) noexcept;
  ~InFile();
  // Errc::not_found. Refuses what is no plain file, a symbolic link too: a folder of somebody else's making must not
  // lead to what only this process may read.
  static Result<InFile> open(const std::filesystem::path& path);
  uint64_t size() const { return size_; }
  int64_t modified() const { return modified_; }  // seconds since 1970
  Result<size_t> read(uint64_t offset, std::span<char> into) const;
  // Up to the next LF, without it; Errc::limit when that is farther than `limit`. nullopt: the end.
  Result<std::optional<std::string>> line(size_t limit);

 private:
  int fd_ = -1;
  std::string path_, buffer_;
  uint64_t size_ = 0, at_ = 0;
  int64_t modified_ = 0;
};

Result<std::string> read_small_file(const std::filesystem::path& path, size_t limit);
// Everything that was written to the file system of that folder is durable.
Result<void> sync_folder(const std::filesystem::path& path);

}  // namespace gateway::migrate
