#include "storage/body_reader.h"

#include <algorithm>

#include "storage/crc32c.h"
#include "storage/frame.h"

namespace storage {

Result<StoredBody> StoredBody::open(std::shared_ptr<File> file, const BodyPlace& place,
                                    std::shared_ptr<BodyIndex> index) {
  StoredBody body;
  body.file_ = std::move(file);
  body.index_ = std::move(index);
  body.place_ = place;
  uint64_t at = place.offset + frame_header_size;
  Buffer bytes;
  bytes.resize(std::min<size_t>(place.length, 4096));  // the head of any message below 100 MiB
  body.head_.name = place.name;
  Result<size_t> n = body.file_->read_at(at, {bytes.data(), bytes.size()});
  if (!n) return body.unreadable(n.error());
  bytes.resize(*n);
  size_t head = BodyHead::length(bytes.bytes());
  if (head > bytes.size()) {
    bytes.resize(head);
    n = body.file_->read_at(at, {bytes.data(), bytes.size()});
    if (!n) return body.unreadable(n.error());
    bytes.resize(*n);
  }
  Result<BodyHead> decoded = BodyHead::decode(bytes.bytes());
  if (decoded && decoded->name != place.name) decoded = Failure(Errc::corrupt, "another body than was looked for");
  if (!decoded) {
    return body.unreadable(decoded.error());
  }
  body.head_ = std::move(*decoded);
  at += head;
  for (const BodyBlock& b : body.head_.blocks) {
    body.block_at_.push_back(at);
    at += b.stored;
  }
  return body;
}

// Damage, or a disk that cannot read it: whoever has the bytes elsewhere may add them again.
Failure StoredBody::unreadable(Failure why) {
  if (index_ && why.code == Errc::corrupt) index_->drop(place_);
  if (index_ && why.code == Errc::io) index_->suspect(place_);
  return why;
}

Result<size_t> StoredBody::read_stored(size_t block) {
  loaded_ = SIZE_MAX;
  stored_.resize(head_.blocks[block].stored);
  Result<size_t> n = file_->read_at(block_at_[block], {stored_.data(), stored_.size()});
  if (!n) return unreadable(n.error());
  return n;
}

Result<void> StoredBody::load(size_t block) {
  if (block == loaded_) return {};
  Result<size_t> n = read_stored(block);
  if (!n) return n.error();
  raw_.resize(head_.raw_size(block));
  Result<void> r = decompress_block(head_.blocks[block], stored_.bytes(0, *n), {raw_.data(), raw_.size()});
  if (!r) return unreadable(r.error());
  loaded_ = block;
  return {};
}

Result<void> StoredBody::verify() {
  for (size_t b = 0; b < head_.blocks.size(); ++b) {
    Result<size_t> n = read_stored(b);
    if (!n) return n.error();
    if (*n != stored_.size() || crc32c(stored_.bytes()) != head_.blocks[b].crc) {
      return unreadable(Failure(Errc::corrupt, "a block does not have its checksum"));
    }
  }
  return {};
}

Result<size_t> StoredBody::read(uint64_t offset, std::span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size() && offset + done < head_.size) {
    if (Result<void> r = load(static_cast<size_t>((offset + done) / body_block_size)); !r) return r.error();
    auto from = static_cast<size_t>((offset + done) % body_block_size);
    size_t n = std::min(out.size() - done, raw_.size() - from);
    std::copy_n(raw_.data() + from, n, out.data() + done);
    done += n;
  }
  return done;
}

BodyReader::BodyReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BodyReader::BodyReader(BodyReader&&) noexcept = default;
BodyReader& BodyReader::operator=(BodyReader&&) noexcept = default;
BodyReader::~BodyReader() = default;
uint64_t BodyReader::size() const { return impl_->size(); }
Result<size_t> BodyReader::read(uint64_t offset, std::span<uint8_t> out) { return impl_->read(offset, out); }

Result<void> BodyReader::verify() { return impl_->verify(); }

Result<std::string> BodyReader::read_all(uint64_t limit) {
  if (size() > limit) return Failure(Errc::limit, "message too big");
  std::string all(size(), '\0');
  Result<size_t> n = read(0, {reinterpret_cast<uint8_t*>(all.data()), all.size()});
  if (!n) return n.error();
  return all;
}

}  // namespace storage
