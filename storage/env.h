// What a store asks of the machine: files, directories, time, randomness. The real one is PosixEnv; the tests' one
// (tests/fault/fault_env.h) fails the n-th operation and forgets or reorders what was not synced.
//
// Errors: Errc::not_found (no such file), exists, no_space (ENOSPC, EDQUOT), io (anything else, errno text in the
// note). Any thread, if calls on one File do not write the same bytes at once. A File keeps no reference to its Env.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "wire/base/failure.h"

namespace storage {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

// Closed by the destructor, which is no I/O that could fail: what matters was synced before.
class File {
 public:
  virtual ~File() = default;
  // Fewer bytes than asked for only at the end of the file.
  virtual Result<size_t> read_at(uint64_t offset, std::span<uint8_t> out) const = 0;
  // All or a failure; after a failure any part may have been written.
  virtual Result<void> write_at(uint64_t offset, std::span<const uint8_t> bytes) = 0;
  virtual Result<void> truncate(uint64_t size) = 0;
  virtual Result<void> sync() = 0;  // the file's data and size (fdatasync), not its directory entry
  virtual Result<uint64_t> size() const = 0;
};

class Env {
 public:
  enum class Mode {
    read,      // it must exist
    write,     // it must exist; read and write
    create,    // it must not exist: Errc::exists
    truncate,  // made or emptied
  };

  virtual ~Env() = default;
  virtual Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Mode mode) = 0;
  virtual Result<std::vector<std::string>> list(const std::filesystem::path& directory) = 0;  // names, sorted
  virtual Result<void> make_directory(const std::filesystem::path& path) = 0;  // and its parents; there already: fine
  virtual Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  virtual Result<void> remove(const std::filesystem::path& path) = 0;
  virtual Result<void> sync_directory(const std::filesystem::path& path) = 0;
  virtual int64_t now() = 0;  // seconds since 1970
  virtual void random(std::span<uint8_t> out) = 0;
};

class PosixEnv final : public Env {
 public:
  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Mode mode) override;
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override;
  Result<void> make_directory(const std::filesystem::path& path) override;
  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> remove(const std::filesystem::path& path) override;
  Result<void> sync_directory(const std::filesystem::path& path) override;
  int64_t now() override;
  void random(std::span<uint8_t> out) override;
};

}  // namespace storage
