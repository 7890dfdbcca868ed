// Which bodies the account has, and where. Any thread.
//
// Three layers: what changed since the last index.snap (or since the one that is being written was begun), what changed
// before that and is not in one yet, and what index.snap has, which stays there (storage/body_finder.h). What is in
// memory goes with the next index.snap. Nobody holds the lock while index.snap is read.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "storage/body_finder.h"
#include "storage/body_table.h"
#include "storage/dictionary.h"
#include "storage/types.h"

namespace storage {

class BodyIndex {
 public:
  // Called when first needed; `whole`: the finder could not be read, all places are to be found otherwise.
  using Loader = std::function<Result<std::shared_ptr<const BodyBase>>(bool whole)>;

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

  // --- a new index.snap (storage/checkpoint.h)
  void freeze();  // it will have all there is now
  // It has its name, and is what `load` reads; what was there when it was frozen is forgotten here. Not while a rewrite
  // is under way, which counts on numbers and places staying.
  void rebase(Loader load);

  // --- rewriting (storage/rewrite.h)
  // Some of all(), not sorted, so that nobody waits for long. False: these were the last. Errc::unavailable: index.snap
  // turned out to be damaged in between; begin again.
  struct Pass {
    size_t layer = 0, at = 0;
  };
  Result<bool> part(Pass& pass, size_t at_most, std::vector<BodyPlace>& out);
  // Bodies that nothing uses any more leave the index, so that the same bytes are written again; who still shows an
  // older state finds them until their file is purged. `places` came from part(). Returns those that were there.
  std::vector<BodyPlace> condemn(std::span<const BodyPlace> places);
  void pardon(std::span<const BodyPlace> places);  // back into the index, unless they were written again
  std::optional<BodyPlace> find_condemned(const Sha256& name);
  void forget_condemned(Lsn segment, uint32_t generation);  // their file is gone
  struct Moved {
    BodyPlace from;       // from part()
    uint64_t to = 0;      // offset in the new segment
    uint32_t length = 0;  // of the payload there
  };
  void move(std::span<const Moved> moved, Lsn segment, uint32_t generation);  // those that are still where they were

  size_t bytes();  // in memory, now
  void rest();     // lets go of what nobody has asked for since the last call; index.snap has it

 private:
  struct Hash {
    size_t operator()(const Sha256& h) const {
      size_t v = 0;
      for (size_t i = 0; i < sizeof v; ++i) v = v << 8 | h[i];
      return v;
    }
  };
  using Base = std::shared_ptr<const BodyBase>;
  std::optional<BodyPlace> layered(const Sha256& name) const;  // also one that is nowhere
  std::optional<BodyPlace> usable(const std::optional<BodyPlace>& place) const;
  // What index.snap has; null: there is none. `failed`: in its place.
  Result<Base> base(const Base& failed = nullptr);

  const std::shared_ptr<Dictionaries> dictionaries_ = std::make_shared<Dictionaries>();
  std::mutex loading_;  // before mutex_
  std::mutex mutex_;
  Loader load_;  // null: there is no base
  Base base_;    // null: not needed yet
  uint64_t rebased_ = 0;
  BodyTable changed_, frozen_;  // a place that is nowhere: no longer there
  BodyTable condemned_;
  std::unordered_map<Sha256, BodyPlace, Hash> dropped_, suspected_;
};

}  // namespace storage
