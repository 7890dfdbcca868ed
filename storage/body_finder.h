// Where each body is, as a part of index.snap that is sorted by name and read a block at a time
// (docs/storage-format.md, "Finder"). What is in memory is a few bytes for each block, and the blocks most recently
// used.
//
// Any thread may ask. Errors: corrupt, io: whoever asks does without it (storage/body_index.h).
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <span>

#include "storage/body_table.h"
#include "storage/coding.h"
#include "storage/env.h"

namespace storage {

// Places that do not change any more. Any thread.
class BodyBase {
 public:
  virtual ~BodyBase() = default;
  virtual Result<std::optional<BodyPlace>> find(const Sha256& name) const = 0;
  // Appends at most `at_most` from number `from` on, maybe a few less, and says which comes next; 0: none does.
  virtual Result<size_t> part(size_t from, size_t at_most, std::vector<BodyPlace>& out) const = 0;
  virtual size_t size() const = 0;
  virtual size_t bytes() const = 0;  // in memory, now
  virtual void rest() const {}       // lets go of what nobody has asked for since the last call
};

// All of them in memory: where there is no finder, or it cannot be read.
class LoadedBodies final : public BodyBase {
 public:
  explicit LoadedBodies(BodyTable table) : table_(std::move(table)) {}
  Result<std::optional<BodyPlace>> find(const Sha256& name) const override { return table_.find(name); }
  Result<size_t> part(size_t from, size_t at_most, std::vector<BodyPlace>& out) const override;
  size_t size() const override { return table_.size(); }
  size_t bytes() const override { return table_.bytes(); }

 private:
  const BodyTable table_;
};

class BodyFinder final : public BodyBase {
 public:
  static constexpr size_t block_bodies = 64;
  static constexpr size_t cached_blocks = 2048;  // 5.4 MB: a pass over 131,000 messages reads each block once

  // `head`: the part that the directory of index.snap names, which lies at `at`; the blocks follow it.
  static Result<std::shared_ptr<const BodyFinder>> open(std::shared_ptr<const File> file, uint64_t at,
                                                        std::span<const uint8_t> head);
  Result<std::optional<BodyPlace>> find(const Sha256& name) const override;
  Result<size_t> part(size_t from, size_t at_most, std::vector<BodyPlace>& out) const override;
  size_t size() const override { return bodies_; }
  size_t bytes() const override;
  void rest() const override;

 private:
  struct Block {
    uint32_t first, crc;  // first: the beginning of its first name, as a number that sorts like it
    uint64_t at;
  };
  using Bytes = std::shared_ptr<const Buffer>;
  Result<Bytes> block(size_t number, bool keep) const;
  size_t names_in(size_t number) const { return std::min(block_bodies, bodies_ - number * block_bodies); }
  uint64_t end_of(size_t number) const { return number + 1 < blocks_.size() ? blocks_[number + 1].at : end_; }
  BodyPlace place(Reader& in) const;

  std::shared_ptr<const File> file_;
  size_t bodies_ = 0;
  std::vector<std::pair<Lsn, uint32_t>> segments_;
  std::vector<Block> blocks_;
  uint64_t end_ = 0;
  mutable std::mutex mutex_;
  mutable std::vector<std::pair<size_t, Bytes>> cache_;  // by number modulo their number: names are evenly spread
  mutable bool asked_ = false;                           // since the last rest()
};

// Writes one: blocks to `file` from where the head ends, then the head as bytes.
class FinderWriter {
 public:
  // `places`: sorted by name, no name twice; must stay. Those that are nowhere are left out.
  explicit FinderWriter(std::span<const BodyPlace> places);
  uint64_t head_size() const;
  Result<void> write(File& file, uint64_t at);  // `at`: of the head
  uint64_t size() const { return size_; }       // once written, the head included
  Buffer head() const;

 private:
  struct Block {
    std::array<uint8_t, 4> first;
    uint32_t crc;
    uint16_t length;
  };
  std::span<const BodyPlace> places_;
  size_t bodies_ = 0;
  std::map<std::pair<Lsn, uint32_t>, uint32_t> segments_;
  std::vector<Block> blocks_;
  uint64_t size_ = 0;
};

}  // namespace storage
