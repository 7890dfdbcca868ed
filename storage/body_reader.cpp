#include "storage/body_reader.h"

#include <algorithm>

#include "storage/crc32c.h"
#include "storage/frame.h"

namespace storage {
namespace {

constexpr size_t first_read = 4096;  // most letters, and the head of any message below 100 MiB

}  // namespace

Result<StoredBody> StoredBody::open(std::shared_ptr<File> file, const BodyPlace& place,
                                    std::shared_ptr<BodyIndex> index,
                                    std::shared_ptr<const Dictionaries> dictionaries) {
  StoredBody body;
  body.file_ = std::move(file);
  body.dictionaries_ = dictionaries || !index ? std::move(dictionaries) : index->dictionaries();
  body.index_ = std::move(index);
  body.place_ = place;
  Buffer bytes;
  body.head_.name = place.name;
  bytes.resize(frame_header_size + std::min<size_t>(place.length, first_read));
  Result<size_t> n = body.file_->read_at(place.offset, {bytes.data(), bytes.size()});
  if (!n) return body.unreadable(n.error());
  bytes.resize(*n);
  Result<void> opened;
  std::optional<FrameHeader> header;
  if (*n >= frame_header_size) {
    header = FrameHeader::decode(bytes.bytes(), load_le<uint64_t>(bytes.data()) ^ frame_magic(0));
  }
  if (header && header->kind == FrameKind::body && header->version == letter_version) {
    // Of a letter nothing is given out before its whole frame has been checked.
    size_t have = bytes.size();
    if (header->length == place.length && have < frame_header_size + place.length) {
      bytes.resize(frame_header_size + place.length);
      n = body.file_->read_at(place.offset + have, {bytes.data() + have, bytes.size() - have});
      if (!n) return body.unreadable(n.error());
      bytes.resize(have + *n);
    }
    opened = body.open_letter(*header, std::move(bytes));
  } else {
    opened = body.open_blocks(place.offset + frame_header_size, place.length, std::move(bytes));
  }
  if (opened && body.head_.name != place.name) opened = Failure(Errc::corrupt, "another body than was looked for");
  if (!opened && body.other_file_) return opened.error();
  if (!opened) return body.unreadable(opened.error());
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

Result<void> StoredBody::open_letter(const FrameHeader& header, Buffer bytes) {
  if (bytes.size() != frame_header_size + size_t{header.length} ||
      crc32c(bytes.bytes(frame_header_size, header.length)) != header.payload_crc) {
    return Failure(Errc::corrupt, "checksum of a body");
  }
  Result<Letter> letter = Letter::decode(bytes.bytes(frame_header_size, header.length));
  if (!letter) return letter.error();
  letter->record = {};
  head_.name = letter->name;
  head_.size = letter->size;
  head_.dictionary = letter->dictionary;
  letter_ = *letter;
  if (letter->dictionary != 0) {
    // Now: a reader may outlive the account that knows where it is.
    if (!dictionaries_) return Failure(Errc::corrupt, "body with a dictionary that is not at hand");
    Result<std::shared_ptr<const Dictionary>> got = dictionaries_->get(letter->dictionary);
    if (!got) {
      other_file_ = got.error().code != Errc::corrupt;
      return got.error();
    }
    dictionary_ = std::move(*got);
  }
  dictionaries_.reset();
  stored_ = std::move(bytes);
  return {};
}

Result<void> StoredBody::open_blocks(uint64_t at, uint32_t length, Buffer bytes) {
  auto payload = [&] { return bytes.bytes().subspan(std::min(bytes.size(), frame_header_size)); };
  size_t head = BodyHead::length(payload());
  if (head > payload().size() && head <= length) {
    bytes.resize(frame_header_size + head);
    Result<size_t> n = file_->read_at(at, {bytes.data() + frame_header_size, head});
    if (!n) return n.error();
    bytes.resize(frame_header_size + *n);
  }
  Result<BodyHead> decoded = BodyHead::decode(payload());
  if (!decoded) return decoded.error();
  head_ = std::move(*decoded);
  at += head;
  for (const BodyBlock& b : head_.blocks) {
    block_at_.push_back(at);
    at += b.stored;
  }
  return {};
}

Result<void> StoredBody::load_letter() {
  raw_.resize(static_cast<size_t>(head_.size));
  return decompress_letter(*letter_, {stored_.data() + frame_header_size, stored_.size() - frame_header_size},
                           dictionary_.get(), {raw_.data(), raw_.size()});
}

Result<void> StoredBody::load(size_t block) {
  if (block == loaded_) return {};
  if (letter_) {
    loaded_ = SIZE_MAX;
    if (Result<void> r = load_letter(); !r) return unreadable(r.error());
    loaded_ = block;
    return {};
  }
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
