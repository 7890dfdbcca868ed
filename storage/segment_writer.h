// Makes a rewritten segment: frames in, in ascending order of their LSNs, a file of its own name out
// (docs/storage-format.md, "Rewriting"). Rewriting and repair use it. One thread; holds 1 MiB; frames may come in
// pieces.
//
// The file is `<name>.log.tmp` until publish(): before that a crash or discard() leaves the log as it was, after it the
// new file is in force for its range whenever the store is opened. Errors: io, no_space; corrupt (a payload that is
// not what its header says); internal (frames out of order).
#pragma once

#include <memory>

#include "storage/coding.h"
#include "storage/env.h"
#include "storage/frame.h"
#include "storage/segments.h"

namespace storage {

class SegmentWriter {
 public:
  // `header`: range, generation, account, needs and feature bits are the caller's; salt and time are set here.
  static Result<std::unique_ptr<SegmentWriter>> create(Env& env, std::filesystem::path log, SegmentHeader header);

  // A frame as it is, but for last_of_batch, which end_batch() sets. The payload follows in any number of pieces of
  // `header.length` bytes together. Returns where the frame is in the new file.
  Result<uint64_t> begin(const FrameHeader& header);
  Result<void> put(std::span<const uint8_t> piece);
  Result<void> end();
  Result<uint64_t> add(const FrameHeader& header, std::span<const uint8_t> payload);
  // For the last frame of the range where that is left out: says nothing, but keeps LSN, epoch and synced, so that a
  // file that was cut short is known from its end, and the highest epoch of the range is never lost.
  Result<void> add_filler(const FrameHeader& instead_of);
  // After the last frame of each batch, whether that frame was kept or not.
  Result<void> end_batch();

  SegmentName name() const { return {header_.first, header_.last, header_.generation}; }
  int64_t created() const { return header_.created; }
  uint64_t size() const { return size_ + buffer_.size(); }
  uint64_t frames() const { return frames_; }

  Result<void> seal();     // everything is on disk, under the temporary name
  Result<void> publish();  // after seal(). A failure may have named it all the same: discard() then
  Result<void> discard();  // removes what there is of it, durably

 private:
  SegmentWriter(Env& env, std::filesystem::path log, SegmentHeader header)
      : env_(env), log_(std::move(log)), header_(header) {}
  Result<void> flush();
  std::filesystem::path path() const { return log_ / name().text(); }
  std::filesystem::path temporary() const;

  Env& env_;
  const std::filesystem::path log_;
  SegmentHeader header_;
  std::unique_ptr<File> file_;
  Buffer buffer_;  // what follows the first size_ bytes
  uint64_t size_ = 0, frames_ = 0;
  uint64_t unsynced_ = 0;
  FrameHeader frame_;  // the last one begun
  uint64_t frame_at_ = 0, left_ = 0;
  uint32_t crc_ = 0;
  bool in_batch_ = false;  // a frame of the batch was kept
  bool publishing_ = false;
};

}  // namespace storage
