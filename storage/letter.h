// A body frame of format 2: one message of at most one block, with a short head and, where both came in one batch, the
// record of the message that has it (docs/storage-format.md, "Letter"). The frame's own checksum covers all of it, and
// is what a reader checks; the head has one of its own, so that damage to a message's bytes does not cost its identity.
// Bodies of more than one block stay as they were (body_codec.h).
//
// No I/O; any thread. Errors: corrupt, unsupported (bits of a later version).
#pragma once

#include <optional>

#include "storage/body_codec.h"
#include "storage/dictionary.h"
#include "storage/record.h"

namespace storage {

struct Letter {
  enum class Part : uint8_t { none = 0, message = 1, link = 2 };  // on disk

  Sha256 name{};
  uint64_t size = 0;        // of the message; at most body_block_size
  uint32_t dictionary = 0;  // 0: none
  bool raw = false;         // the block is the message as it is
  Part part = Part::none;
  std::span<const uint8_t> record;  // where there is a part; into what was decoded

  static constexpr size_t max_record = 32u << 10;  // a longer one is a frame of its own

  void encode(Buffer& out) const;  // the head; the block follows
  size_t head = 0;                 // decoded: its length
  // `payload` holds at least the head.
  static Result<Letter> decode(std::span<const uint8_t> payload);
};

// How hard zstd tries: on arrival (without a dictionary 3 gains 0.2 % of space for a third more time, with one 12 % for
// a tenth) and where segments are rewritten, which is idle time.
constexpr int level_of_arrival = 1, level_with_dictionary = 3, level_of_rewriting = 12;
// Longer messages have enough in themselves.
constexpr size_t dictionary_limit = 16u << 10;

// Appends the block; says whether it is raw. `dictionary` may be null.
bool compress_letter(Buffer& out, std::span<const uint8_t> raw, const Dictionary* dictionary, int level);
// `payload` is the frame's, whole; four bytes before the block are overwritten. `out` has the message's size.
Result<void> decompress_letter(const Letter& letter, std::span<uint8_t> payload, const Dictionary* dictionary,
                               std::span<uint8_t> out);

// What a body frame of either version says but for its bytes.
struct BodyFrame {
  Sha256 name{};
  uint64_t size = 0;
  uint32_t dictionary = 0;
  std::optional<record::Op> part;  // Message or BodyLink
  bool small() const { return size > 0 && size < dictionary_limit; }
};
// `payload`: at least the head.
Result<BodyFrame> read_body_frame(const FrameHeader& header, std::span<const uint8_t> payload);

// What is left of a letter when its body goes: its record as a frame of its own, with the same LSN. Nothing where it
// has none.
struct LoneRecord {
  FrameHeader header;
  Buffer payload;
};
std::optional<LoneRecord> record_alone(const FrameHeader& header, const Letter& letter);

// A letter's payload anew, or the same again: without its record where that is not wanted, and, where that is smaller
// and gives the same message, with `dictionary` (null: none) at `level` (0: its block stays as it is). Errc::corrupt:
// it cannot be read.
Result<Buffer> repack_letter(std::span<const uint8_t> payload, bool with_record, const Dictionaries& dictionaries,
                             const Dictionary* dictionary, int level);

// A body of format 1 as a letter of its own, compressed anew with `dictionary` (null: none; only used below its limit).
struct LooseLetter {
  Letter head;
  Buffer block;
};
// Nothing: it has more than a block, or cannot be read.
std::optional<LooseLetter> letter_of(std::span<const uint8_t> body_payload, const Dictionary* dictionary, int level);

}  // namespace storage
