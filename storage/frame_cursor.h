// Walks the frames of one whole segment and checks what it gives out; bodies in pieces, or not at all. One thread;
// holds 1 MiB, or one frame that is no body. Errc::corrupt: damage of any kind, holes in the LSNs of an open segment
// included.
#pragma once

#include <memory>

#include "storage/file_window.h"
#include "storage/frame.h"

namespace storage {

class FrameCursor {
 public:
  // `last`: the last LSN that must be in it.
  static Result<FrameCursor> open(std::shared_ptr<const File> file, const SegmentName& name, Lsn last);
  const SegmentHeader& segment() const { return segment_; }

  Result<bool> next();  // false: that was all
  const FrameHeader& frame() const { return frame_; }
  uint64_t offset() const { return offset_; }
  // Of a frame that is no body: all of it, checked.
  Result<std::span<const uint8_t>> payload();
  // Of a body: what comes next, not checked; empty at its end.
  Result<std::span<const uint8_t>> piece();
  // Bytes that were read from the file since this was last asked.
  uint64_t take_read() { return window_.take_read(); }

 private:
  std::shared_ptr<const File> file_;
  SegmentName name_;
  Lsn last_, expected_;
  SegmentHeader segment_;
  uint64_t size_ = 0, offset_ = 0, next_ = 0, piece_at_ = 0;
  FrameHeader frame_;
  FileWindow window_;
};

}  // namespace storage
