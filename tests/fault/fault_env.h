// A disk in memory that fails when told to and forgets what was not synced. One thread at a time, as the tests use it.
//
// Every call that a disk would see is one operation, numbered from 1. fail(n) makes the n-th fail once, die(n) makes
// the n-th and all later ones fail: the process was killed there. image() is what the next boot finds.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "storage/env.h"

namespace storage {

enum class Survives {
  synced,  // nothing that was not synced: no bytes, no directory entries
  all,     // everything: only the process died
  some,    // any part of what was not synced, in any order, down to single sectors
};

class FaultEnv final : public Env {
 public:
  FaultEnv();
  ~FaultEnv() override;

  // How an operation fails: `code`, and a write may have put down its first bytes.
  void fail(uint64_t operation, Errc code = Errc::io, bool partly = false);
  void die(uint64_t operation);
  void pause(bool on);  // while on, nothing fails and nothing counts: a test looks
  void heal();          // and operations count from 0 again
  uint64_t operations() const;
  void on_operation(std::function<void()> hook);  // before each one takes effect; operations inside do not count

  std::unique_ptr<FaultEnv> image(Survives what, uint32_t seed = 0) const;
  void write_in_pieces(size_t bytes);  // a write takes effect so many at a time, with the hook before each
  void set_time(int64_t seconds);

  // For tests that damage files, and look at them.
  std::vector<std::string> paths() const;
  std::vector<uint8_t> bytes(const std::string& path) const;
  void replace(const std::string& path, std::vector<uint8_t> bytes);
  void forget(const std::string& path);

  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Mode mode) override;
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override;
  Result<void> make_directory(const std::filesystem::path& path) override;
  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> remove(const std::filesystem::path& path) override;
  Result<void> sync_directory(const std::filesystem::path& path) override;
  int64_t now() override;
  void random(std::span<uint8_t> out) override;

 private:
  struct Disk;
  friend class FaultFile;
  std::shared_ptr<Disk> disk_;
};

}  // namespace storage
