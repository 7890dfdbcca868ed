// Which bodies the account has, and where. Any thread. What index.snap holds is loaded when first asked for.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "storage/types.h"

namespace storage {

struct BodyPlace {
  Sha256 name{};
  Lsn segment;          // the first LSN in its segment's name; 0: nowhere
  uint64_t offset = 0;  // of the frame's header
  uint32_t length = 0;  // of the frame's payload
};

class BodyIndex {
 public:
  using Loader = std::function<Result<std::vector<BodyPlace>>()>;  // sorted by name

  void set_base(Loader load);
  void put(const BodyPlace& place);
  // What was found damaged: forgotten here, so that the same bytes can be added again.
  void drop(const Sha256& name);
  Result<std::optional<BodyPlace>> find(const Sha256& name);
  Result<std::vector<BodyPlace>> all();  // sorted by name

 private:
  struct Hash {
    size_t operator()(const Sha256& h) const {
      size_t v = 0;
      for (size_t i = 0; i < sizeof v; ++i) v = v << 8 | h[i];
      return v;
    }
  };
  Result<void> load();

  std::mutex mutex_;
  Loader load_;                  // empty once done
  std::vector<BodyPlace> base_;  // sorted
  std::unordered_map<Sha256, BodyPlace, Hash> changed_;
};

}  // namespace storage
