// The parts of index.snap that there is one of for each message: chunks and the places of bodies, in both formats
// (docs/storage-format.md). No I/O; one thread; what does not fit fails the reader or is Errc::corrupt.
#pragma once

#include <functional>
#include <memory>

#include "storage/body_index.h"
#include "storage/chunk.h"
#include "storage/coding.h"

namespace storage {

void put_chunk(Buffer& out, const MessageChunk& chunk, uint32_t format);
// `in` reads `section`, of which the chunk keeps a share.
std::shared_ptr<MessageChunk> get_chunk(Reader& in, const std::shared_ptr<const Buffer>& section, uint32_t format);
// Passes a chunk of format 2 and gives f(name) the names of its bodies, in the order of its messages.
using OnName = std::function<void(const Sha256&)>;
void skip_chunk(Reader& in, const OnName& f);

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
