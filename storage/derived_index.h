// Where the entries of derived.data are, and the file itself: what DerivedData and its readers share. Any thread: what
// grows is behind the mutex. Private to storage.
#pragma once

#include <mutex>

#include "storage/derived.h"

namespace storage {

// Open addressing over the first 8 bytes of a key. Two keys that agree in them count as one: a reader compares the
// whole key, so the second body has no entry, which is right if slow.
class DerivedIndex {
 public:
  static constexpr uint32_t nowhere = UINT32_MAX;
  // The last one counts: it was made because the one before could not be read. False: there was one.
  bool add(const DerivedKey& key, uint32_t entry);
  uint32_t find(const DerivedKey& key) const;
  void drop(uint32_t first, uint32_t last);  // entries [first, last)
  uint64_t size() const { return live_; }

 private:
  void grow();
  size_t place(uint64_t print) const;
  std::vector<uint64_t> prints_;
  std::vector<uint32_t> entries_;  // of `prints_`; nowhere: free, or dropped where the print is not 0
  size_t used_ = 0;
  uint64_t live_ = 0;
};

struct DerivedFile {
  struct Group {
    uint64_t offset = 0;
    DerivedGroupHeader header;
    uint32_t first = 0;  // number of its first entry
    bool dropped = false;
  };
  mutable std::mutex mutex;    // everything below
  std::shared_ptr<File> file;  // null: there is none yet
  DerivedHeader header;
  uint64_t end = 0;
  std::vector<Group> groups;
  DerivedIndex index;
  uint32_t next = 0;  // entry

  void add(const DerivedGroupHeader& header, std::span<const DerivedKey> keys);
  void drop(uint32_t group);
  // Reads the chain of groups up to the first that is not whole.
  void load();
};

// The header and directory of the group at `offset`. `guess`: how much is read at first, mostly all of it.
struct DerivedGroupHead {
  DerivedGroupHeader header;
  DerivedDirectory directory;
};
std::optional<DerivedGroupHead> read_group(const File& file, uint64_t salt, uint64_t offset, size_t columns,
                                           Buffer& scratch, size_t guess = 40u << 10);

}  // namespace storage
