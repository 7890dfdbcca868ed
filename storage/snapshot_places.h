// The section of index.snap that says where each body is, in both formats (docs/storage-format.md). No I/O; one thread;
// what does not fit is Errc::corrupt.
#pragma once

#include "storage/body_index.h"
#include "storage/coding.h"

namespace storage {

// Format 1: places sorted by name.
void encode_places(Buffer& out, std::span<const BodyPlace> places);
Result<BodyTable> decode_places(std::span<const uint8_t> section);

// Format 2: places in the order of the messages, a name only for those that no message has.
class BodyEncoder {
 public:
  BodyEncoder(Buffer& out, const std::vector<BodyPlace>& places);  // all there are
  void add(const Sha256& name);                                    // of a message; a second time: nothing
  void finish();

 private:
  Buffer& out_;
  BodyTable all_;
  std::vector<bool> done_;
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
