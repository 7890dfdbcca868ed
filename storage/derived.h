// Derived data: what a caller has worked out from bodies, kept beside the log in `derived.data` (docs/derived-data.md).
// A cache by content: an entry belongs to a body's SHA-256, so it can be missing but never stale. Storage does not know
// what the blobs mean; `content` numbers the caller's meaning, and another number is another file.
//
// Nothing here is needed for correctness and nothing is ever synced: a missing, damaged, foreign or old file is as an
// empty one and is replaced by the next append(). The file is read, not mapped: a bad sector or a cut file under a
// mapping is a signal that ends the process for all users; under a read it is an entry less.
//
// Any thread. append() and rewrite() by one thread at a time. Readers keep the file that they began with: a rewrite
// makes a new one. The Env outlives all. Memory: about 20 bytes an entry, and a reader's blocks.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "storage/derived_format.h"
#include "storage/env.h"

namespace storage {

// Entries on their way in. Any one thread.
class DerivedGroup {
 public:
  explicit DerivedGroup(size_t columns) : columns_(columns) {}
  // One blob a column, each at most derived_blob_max. `marks`: the caller's bits. Not when full().
  void add(const DerivedKey& key, uint8_t marks, std::span<const std::string_view> blobs);
  bool full() const { return keys_.size() >= derived_group_entries || bytes_ >= derived_group_bytes; }
  bool empty() const { return keys_.empty(); }
  size_t size() const { return keys_.size(); }
  void clear();

 private:
  friend class DerivedData;
  Buffer encode(uint64_t salt, uint64_t offset, DerivedDirectory& directory, DerivedGroupHeader& header) const;

  size_t columns_;
  std::vector<DerivedKey> keys_;
  std::vector<uint8_t> marks_;
  std::array<std::vector<uint32_t>, derived_columns_max> ends_;
  std::array<Buffer, derived_columns_max> blobs_;
  size_t bytes_ = 0;
};

struct DerivedFile;  // one generation of the file and its index

// Reads entries. One thread at a time; cheapest in the order in which entries lie.
class DerivedReader {
 public:
  explicit DerivedReader(std::shared_ptr<DerivedFile> file) : file_(std::move(file)) {}
  DerivedReader(DerivedReader&&) noexcept;
  ~DerivedReader();
  // Stands on that body's entry and returns its marks; nullopt: there is none that can be read.
  std::optional<uint8_t> seek(const Sha256& name);
  // A blob of the entry that it stands on, valid until the next call for this column. nullopt: damaged; the whole group
  // is then forgotten, so that it is made again.
  std::optional<std::string_view> column(size_t c);

 private:
  friend class DerivedData;
  struct Loaded {
    uint32_t block = UINT32_MAX;
    Buffer raw, joined;
  };
  bool enter(uint32_t group);
  bool load(size_t c, uint32_t block);
  std::optional<std::string_view> damaged();

  std::shared_ptr<DerivedFile> file_;
  uint32_t group_ = UINT32_MAX, slot_ = 0;
  uint64_t blocks_at_ = 0;
  DerivedDirectory directory_;
  std::array<Loaded, derived_columns_max> loaded_;
  Buffer stored_;
};

class DerivedData {
 public:
  struct Kind {
    AccountId account{};
    uint32_t content = 0;
    uint8_t columns = 1;
  };
  struct Stats {
    uint64_t entries = 0, bytes = 0;
    size_t groups = 0, small = 0;  // groups; those much below a full one
  };

  // Reads the index of what is there. Never fails because of what is in the file, and makes none.
  static std::shared_ptr<DerivedData> open(Env& env, std::filesystem::path path, Kind kind);
  ~DerivedData();
  size_t columns() const { return kind_.columns; }
  bool has(const Sha256& name) const;
  Stats stats() const;
  DerivedReader reader() const;

  // Errc::io, no_space: nothing more is accepted until it is opened again; what is there can still be read.
  Result<void> append(const DerivedGroup& group);
  // A new file with the entries of these bodies alone, in this order: what is dead goes, and passes over a mailbox
  // become sequential. `cancelled` ends it early, with nothing changed.
  Result<void> rewrite(std::span<const Sha256> keep, const std::atomic<bool>& cancelled);

 private:
  DerivedData(Env& env, std::filesystem::path path, Kind kind);
  std::shared_ptr<DerivedFile> current() const;
  Result<std::shared_ptr<DerivedFile>> create(const std::filesystem::path& path) const;
  Result<void> append_to(DerivedFile& to, const DerivedGroup& group) const;

  Env& env_;
  const std::filesystem::path path_;
  const Kind kind_;
  mutable std::mutex mutex_;
  std::shared_ptr<DerivedFile> file_;  // never null
  bool failed_ = false;
};

}  // namespace storage
