// What was last read of a file that is walked through: a piece of `ahead` bytes, or more where one frame needs more.
// One thread; the spans it gives out hold until the next call.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "storage/coding.h"
#include "storage/env.h"

namespace storage {

class FileWindow {
 public:
  FileWindow() = default;
  FileWindow(std::shared_ptr<const File> file, uint64_t size, size_t ahead)
      : file_(std::move(file)), size_(size), ahead_(ahead) {}

  // At least `wanted` bytes from `offset`, fewer at the end of the file. Errors: io.
  Result<std::span<const uint8_t>> fill(uint64_t offset, size_t wanted) {
    if (offset >= size_) return std::span<const uint8_t>();
    wanted = static_cast<size_t>(std::min<uint64_t>(wanted, size_ - offset));
    if (offset < at_ || offset + wanted > at_ + buffer_.size()) {
      auto n = static_cast<size_t>(std::min<uint64_t>(std::max(wanted, ahead_), size_ - offset));
      buffer_.resize(n);
      Result<size_t> got = file_->read_at(offset, {buffer_.data(), n});
      if (!got) {
        buffer_.clear();
        return got.error();
      }
      buffer_.resize(*got);
      at_ = offset;
      read_ += *got;
    }
    auto from = static_cast<size_t>(offset - at_);
    return buffer_.bytes(from, buffer_.size() - from);
  }
  // Bytes that were read from the file since this was last asked.
  uint64_t take_read() { return std::exchange(read_, 0); }

 private:
  std::shared_ptr<const File> file_;
  uint64_t size_ = 0;
  size_t ahead_ = 0;
  Buffer buffer_;
  uint64_t at_ = 0, read_ = 0;
};

}  // namespace storage
