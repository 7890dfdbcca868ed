// A body where it lies in a segment: what is behind BodyReader, and what `doctor` reads with. Private to storage.
#pragma once

#include "storage/body.h"
#include "storage/body_codec.h"
#include "storage/body_index.h"
#include "storage/env.h"
#include "storage/letter.h"

namespace storage {

class StoredBody {
 public:
  // Errc::corrupt: no such body starts at this place. `dictionaries`: null takes the index's.
  static Result<StoredBody> open(std::shared_ptr<File> file, const BodyPlace& place, std::shared_ptr<BodyIndex> index,
                                 std::shared_ptr<const Dictionaries> dictionaries = nullptr);
  uint64_t size() const { return head_.size; }
  const BodyHead& head() const { return head_; }  // of a letter: without blocks
  Result<size_t> read(uint64_t offset, std::span<uint8_t> out);
  Result<void> verify();

 private:
  Result<void> open_letter(const FrameHeader& header, Buffer payload);
  Result<void> open_blocks(uint64_t at, uint32_t length, Buffer bytes);
  Result<void> load(size_t block);
  Result<size_t> read_stored(size_t block);
  Failure unreadable(Failure why);
  Result<void> load_letter();

  std::shared_ptr<File> file_;
  std::shared_ptr<BodyIndex> index_;  // told of damage; null: nobody is
  BodyPlace place_;
  std::shared_ptr<const Dictionaries> dictionaries_;  // while opening
  bool other_file_ = false;                           // the trouble is not the body's
  std::shared_ptr<const Dictionary> dictionary_;
  BodyHead head_;
  std::optional<Letter> letter_;
  std::vector<uint64_t> block_at_;  // where each block is in the file
  Buffer stored_, raw_;
  size_t loaded_ = SIZE_MAX;
};

class BodyReader::Impl : public StoredBody {
 public:
  explicit Impl(StoredBody body) : StoredBody(std::move(body)) {}
};

}  // namespace storage
