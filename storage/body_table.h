// Places of bodies by name, in memory: 48 bytes each and at most 8 for finding it. Parts of it are never moved, so that
// growing copies nothing but numbers. No I/O, no lock: whoever shares one has a lock or does not change it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "storage/types.h"

namespace storage {

struct BodyPlace {
  Sha256 name{};
  Lsn segment;              // the first LSN in its segment's name; 0: nowhere
  uint32_t generation = 0;  // of that segment: a rewritten one may begin with the same LSN
  uint64_t offset = 0;      // of the frame's header
  uint32_t length = 0;      // of the frame's payload
};

inline bool same_place(const BodyPlace& a, const BodyPlace& b) {
  return a.segment == b.segment && a.generation == b.generation && a.offset == b.offset;
}

// Numbered from 0 in the order in which they were added.
class BodyTable {
 public:
  void reserve(size_t n);
  // False: the name is there already, and stays as it is.
  bool add(const BodyPlace& place);
  void put(const BodyPlace& place);  // also in the place of what is there
  bool contains(const Sha256& name) const { return number(name) != 0; }
  std::optional<BodyPlace> find(const Sha256& name) const;
  size_t size() const { return size_; }
  BodyPlace at(size_t number) const;
  void erase_if(const std::function<bool(const BodyPlace&)>& gone);
  void set_generations(const std::map<Lsn, uint32_t>& by_first);  // of the segments that the places are in
  size_t bytes() const { return parts_.size() * part_size * sizeof(Entry) + slots_.size() * sizeof(uint32_t); }

 private:
  static constexpr size_t part_size = 32;
  struct Entry {
    Sha256 name;
    uint64_t offset;
    uint32_t length, segment;  // number of a segment
  };
  Entry& entry(size_t i) const { return parts_[i / part_size][i % part_size]; }
  uint32_t number(const Sha256& name) const { return slots_.empty() ? 0 : slots_[slot(name)]; }  // + 1; 0: none
  size_t slot(const Sha256& name) const;  // where it is, or belongs
  void grow(size_t slots);
  uint32_t segment(Lsn first, uint32_t generation);

  std::vector<std::unique_ptr<Entry[]>> parts_;
  size_t size_ = 0;
  std::vector<uint32_t> slots_;  // number + 1, or 0; a power of two, at most three quarters full
  std::vector<std::pair<Lsn, uint32_t>> segments_;
  std::map<std::pair<Lsn, uint32_t>, uint32_t> numbers_;  // of segments_
  uint32_t last_ = 0;                                     // the segment most recently asked for
};

}  // namespace storage
