// Who needs the log as it is: durable notes beside it (docs/storage-format.md, "pins"). Functions on a directory for
// stores that nobody has open and for `doctor`; an open store is pinned through storage/space.h. Blocks on the disk.
#pragma once

#include <string>
#include <vector>

#include "storage/env.h"
#include "storage/types.h"

namespace storage {

enum class PinKind : uint8_t {  // on disk: never renumber
  backup = 1,                   // nothing is rewritten, moved or removed
  journal = 2,                  // no frame above the LSN is left out or removed
};

struct Pin {
  std::string name;  // one pin a name; at most 256 octets
  PinKind kind = PinKind::backup;
  Lsn lsn;
  int64_t made = 0;    // seconds since 1970
  std::string reason;  // for people; at most 1,024 octets
  bool operator==(const Pin&) const = default;
};
constexpr size_t max_pins = 1000;

// None where there is no such file. Errc::corrupt: it is damaged, which forbids as much as a backup pin does.
Result<std::vector<Pin>> read_pins(Env& env, const std::filesystem::path& directory);
// Durable when it returns; of the same name the newer replaces the older. Errc::limit.
Result<void> add_pin(Env& env, const std::filesystem::path& directory, const Pin& pin);
// Errc::not_found: there is none of that name.
Result<void> remove_pin(Env& env, const std::filesystem::path& directory, const std::string& name);

// Up to where frames may be left out. LSN 0: nothing may be touched.
Lsn free_below(const std::vector<Pin>& pins);

}  // namespace storage
