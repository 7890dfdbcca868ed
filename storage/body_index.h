// Which bodies the account has, and where. Any thread. What index.snap holds is loaded when first asked for.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "storage/dictionary.h"
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

// Places by name, in the order in which they were added: 4 bytes each beside the place itself.
class BodyTable {
 public:
  void reserve(size_t n);
  // False: the name is there already, and stays as it is.
  bool add(const BodyPlace& place);
  BodyPlace* find(const Sha256& name);  // its name must stay
  const std::vector<BodyPlace>& places() const { return places_; }
  void set_generations(const std::map<Lsn, uint32_t>& by_first);  // of the segments that the places are in

 private:
  size_t slot(const Sha256& name) const;  // where it is, or belongs
  void grow(size_t slots);
  std::vector<BodyPlace> places_;
  std::vector<uint32_t> slots_;  // index + 1, or 0; a power of two, at most half full
};

class BodyIndex {
 public:
  using Loader = std::function<Result<BodyTable>()>;

  void set_base(Loader load);
  void put(const BodyPlace& place);
  // What was found unreadable is not found any more, so that the same bytes can be added again; unless it has moved
  // meanwhile. all() still has it: index.snap must not forget what may be read another day.
  void drop(const BodyPlace& place);
  // The disk could not read it: a second time in a row it is dropped.
  void suspect(const BodyPlace& place);
  std::optional<BodyPlace> dropped(const Sha256& name);  // where it lies
  Result<std::optional<BodyPlace>> find(const Sha256& name);
  Result<std::vector<BodyPlace>> all();  // sorted by name
  // What some of the bodies need to be read.
  const std::shared_ptr<Dictionaries>& dictionaries() const { return dictionaries_; }

  // --- rewriting (storage/rewrite.h)
  // Some of all(), not sorted, so that nobody waits for long: those of index.snap from number `from` on, and (with the
  // first) those since. Returns how many of index.snap have been passed; 0 at their end.
  Result<size_t> part(size_t from, size_t at_most, std::vector<BodyPlace>& out);
  // Bodies that nothing uses any more leave the index, so that the same bytes are written again; who still shows an
  // older state finds them until their file is purged. Returns those that were there.
  std::vector<BodyPlace> condemn(std::span<const BodyPlace> places);
  void pardon(std::span<const BodyPlace> places);  // back into the index, unless they were written again
  std::optional<BodyPlace> find_condemned(const Sha256& name);
  void forget_condemned(Lsn segment, uint32_t generation);  // their file is gone
  struct Moved {
    BodyPlace from;
    uint64_t to = 0;      // offset in the new segment
    uint32_t length = 0;  // of the payload there
  };
  void move(std::span<const Moved> moved, Lsn segment, uint32_t generation);  // those that are still where they were

 private:
  struct Hash {
    size_t operator()(const Sha256& h) const {
      size_t v = 0;
      for (size_t i = 0; i < sizeof v; ++i) v = v << 8 | h[i];
      return v;
    }
  };
  Result<void> load();
  BodyPlace* entry(const Sha256& name);  // loaded; null: none

  const std::shared_ptr<Dictionaries> dictionaries_ = std::make_shared<Dictionaries>();
  std::mutex mutex_;
  Loader load_;  // empty once done
  BodyTable base_;
  std::unordered_map<Sha256, BodyPlace, Hash> changed_, condemned_, dropped_, suspected_;
};

}  // namespace storage
