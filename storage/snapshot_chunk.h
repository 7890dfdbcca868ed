// The parts of index.snap that there is one of for each message, in both formats (docs/storage-format.md): in format 2
// what every command touches, and apart from it, with a checksum for each chunk, the rest. No I/O; one thread; what
// does not fit fails the reader.
#pragma once

#include <functional>
#include <memory>

#include "storage/chunk.h"
#include "storage/coding.h"

namespace storage {

// A chunk's cold part as it was written: `offset` bytes into the mailbox's cold bytes.
struct ColdPiece {
  std::shared_ptr<const MessageChunk> chunk;
  uint64_t offset = 0;
  uint32_t messages = 0, length = 0, crc = 0;
  bool same = false;  // as it was in the file before: it may be read from the new one
};

// Format 1: all goes to `hot`.
void put_chunk(Buffer& hot, Buffer& cold, const std::shared_ptr<MessageChunk>& chunk, uint32_t format,
               std::vector<ColdPiece>& pieces);

// Format 1; `in` reads `section`, of which the chunk keeps a share.
std::shared_ptr<MessageChunk> get_plain_chunk(Reader& in, const std::shared_ptr<const Buffer>& section);
// Format 2; `place` is where its cold part begins in the file, and then where the next one's does.
std::shared_ptr<MessageChunk> get_packed_chunk(Reader& in, MailboxKey mailbox, ColdStore::Place& place);

// Passes a chunk of format 2.
struct PassedChunk {
  uint32_t messages = 0, cold_length = 0, cold_crc = 0;
};
PassedChunk skip_chunk(Reader& in);
// Gives f(name) the names of the bodies in a chunk's cold part, in the order of its messages.
using OnName = std::function<void(const Sha256&)>;
Result<void> names_of(std::span<const uint8_t> cold, uint32_t messages, const OnName& f);

}  // namespace storage
