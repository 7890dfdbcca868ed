// The section of index.snap that says where each body is, in both formats (docs/storage-format.md). No I/O; one thread;
// what does not fit is Errc::corrupt.
#pragma once

#include <set>

#include "storage/body_table.h"
#include "storage/coding.h"

namespace storage {

// Format 1: places sorted by name.
void encode_places(Buffer& out, std::span<const BodyPlace> places);
Result<BodyTable> decode_places(std::span<const uint8_t> section);

// Format 2: places in the order of the messages, a name only for those that no message has.
class BodyEncoder {
 public:
  BodyEncoder(Buffer& out, std::span<const BodyPlace> places);  // all there are, sorted by name; must stay
  void add(const Sha256& name);                                 // of a message; a second time: nothing
  void finish();

 private:
  size_t bucket(const Sha256& name) const { return size_t{name[0]} << 16 | size_t{name[1]} << 8 | name[2]; }
  std::optional<size_t> find(const Sha256& name) const;

  Buffer& out_;
  std::span<const BodyPlace> all_;
  int shift_ = 24;
  std::vector<uint32_t> starts_;  // where names begin that begin with a number of 24 - shift_ bits
  std::vector<bool> done_;
  std::set<Sha256> without_;  // of messages whose bodies are gone
  BodyPlace before_;
};

class BodyDecoder {
 public:
  explicit BodyDecoder(std::span<const uint8_t> section);
  void add(const Sha256& name);
  Result<BodyTable> finish();

 private:
  Reader in_;
  BodyTable table_;
  BodyPlace before_;
};

}  // namespace storage
