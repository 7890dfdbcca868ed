// A body where it lies in a segment: what is behind BodyReader, and what `doctor` reads with. Private to storage.
#pragma once

#include "storage/body.h"
#include "storage/body_codec.h"
#include "storage/body_index.h"
#include "storage/env.h"

namespace storage {

class StoredBody {
 public:
  // Errc::corrupt: no such body starts at this place.
  static Result<StoredBody> open(std::shared_ptr<File> file, const BodyPlace& place, std::shared_ptr<BodyIndex> index);
  uint64_t size() const { return head_.size; }
  const BodyHead& head() const { return head_; }
  Result<size_t> read(uint64_t offset, std::span<uint8_t> out);
  Result<void> verify();

 private:
  Result<void> load(size_t block);
  Result<size_t> read_stored(size_t block);
  Failure unreadable(Failure why);

  std::shared_ptr<File> file_;
  std::shared_ptr<BodyIndex> index_;  // told of damage; null: nobody is
  BodyPlace place_;
  BodyHead head_;
  std::vector<uint64_t> block_at_;  // where each block is in the file
  Buffer stored_, raw_;
  size_t loaded_ = SIZE_MAX;
};

class BodyReader::Impl : public StoredBody {
 public:
  explicit Impl(StoredBody body) : StoredBody(std::move(body)) {}
};

}  // namespace storage
