#include <algorithm>

#include "storage/body_impl.h"
#include "storage/crc32c.h"
#include "storage/frame.h"

namespace storage {

Buffer BufferPool::take() {
  std::lock_guard lock(mutex_);
  if (free_.empty()) return {};
  Buffer b = std::move(free_.back());
  free_.pop_back();
  return b;
}

void BufferPool::give(Buffer buffer) {
  std::lock_guard lock(mutex_);
  if (buffer.capacity() == 0 || buffer.capacity() > kept_capacity || free_.size() >= 2) return;
  buffer.clear();
  free_.push_back(std::move(buffer));
}

Result<std::shared_ptr<File>> Spool::open() const {
  std::filesystem::path path = directory / ("body-" + std::to_string(counter->fetch_add(1)));
  Result<std::unique_ptr<File>> file = env->open(path, Env::Mode::truncate);
  if (!file && file.error().code == Errc::not_found) {
    if (Result<void> made = env->make_directory(directory); !made) return made.error();
    file = env->open(path, Env::Mode::truncate);
  }
  if (!file) return file.error();
  if (Result<void> removed = env->remove(path); !removed) return removed.error();
  return std::shared_ptr<File>(std::move(*file));
}

Result<size_t> PreparedBody::Impl::read_stored(uint64_t offset, std::span<uint8_t> out) const {
  if (spool) return spool->read_at(offset, out);
  size_t n = offset < stored.size() ? std::min<size_t>(out.size(), stored.size() - offset) : 0;
  std::copy_n(stored.data() + offset, n, out.data());
  return n;
}

Result<size_t> PreparedBody::Impl::read(uint64_t offset, std::span<uint8_t> out) {
  if (offset >= head.size || out.empty()) return 0;
  if (small()) {
    size_t n = std::min<size_t>(out.size(), raw.size() - offset);
    std::copy_n(raw.data() + offset, n, out.data());
    return n;
  }
  size_t done = 0;
  while (done < out.size() && offset + done < head.size) {
    auto block = static_cast<size_t>((offset + done) / body_block_size);
    if (block != cached_) {
      uint64_t at = 0;
      for (size_t i = 0; i < block; ++i) at += head.blocks[i].stored;
      cached_ = SIZE_MAX;
      stored_cache_.resize(head.blocks[block].stored);
      Result<size_t> n = read_stored(at, {stored_cache_.data(), stored_cache_.size()});
      if (!n) return n.error();
      cache_.resize(head.raw_size(block));
      if (Result<void> r =
              decompress_block(head.blocks[block], stored_cache_.bytes(0, *n), {cache_.data(), cache_.size()});
          !r) {
        return r.error();
      }
      cached_ = block;
    }
    size_t from = (offset + done) % body_block_size;
    size_t n = std::min(out.size() - done, cache_.size() - from);
    std::copy_n(cache_.data() + from, n, out.data() + done);
    done += n;
  }
  return done;
}

void BodyWriter::Impl::reset() {
  if (raw_.capacity() == 0) raw_ = pool_->take();
  raw_.clear();
  stored_.clear();
  blocks_.clear();
  file_.reset();
  size_ = spooled_ = 0;
  stored_crc_ = 0;
  failed_ = false;
  hasher_.reset();
}

Result<void> BodyWriter::Impl::write(std::span<const uint8_t> bytes) {
  if (failed_) return Failure(Errc::io, "body was not written");
  if (bytes.size() > max_body_size - size_) {
    failed_ = true;
    return Failure(Errc::limit, "message too big");
  }
  hasher_.update(bytes);
  size_ += bytes.size();
  while (!bytes.empty()) {
    // A full block waits until more comes: what fits one block is compressed straight into the log's buffer.
    if (raw_.size() == body_block_size) {
      if (Result<void> r = end_block(); !r) {
        failed_ = true;
        return r;
      }
    }
    size_t n = std::min(bytes.size(), body_block_size - raw_.size());
    raw_.put_bytes(bytes.first(n));
    bytes = bytes.subspan(n);
  }
  return {};
}

Result<void> BodyWriter::Impl::end_block() {
  blocks_.push_back(compress_block(stored_, raw_.bytes()));
  raw_.clear();
  return stored_.size() >= spool_above ? spill() : Result<void>{};
}

Result<void> BodyWriter::Impl::spill() {
  if (!file_) {
    Result<std::shared_ptr<File>> file = spool_.open();
    if (!file) return file.error();
    file_ = *file;
  }
  if (Result<void> r = file_->write_at(spooled_, stored_.bytes()); !r) return r;
  spooled_ += stored_.size();
  stored_crc_ = crc32c(stored_.bytes(), stored_crc_);
  stored_.clear();
  return {};
}

Result<PreparedBody> BodyWriter::Impl::finish() {
  if (failed_) {
    reset();
    return Failure(Errc::io, "body was not written");
  }
  if (!blocks_.empty()) {
    Result<void> r = end_block();
    if (r && file_ && !stored_.empty()) r = spill();
    if (!r) {
      Failure why = r.error();
      reset();
      return why;
    }
  }
  auto body = std::make_unique<PreparedBody::Impl>();
  body->head.name = hasher_.finish();
  body->head.size = size_;
  body->head.blocks = std::move(blocks_);
  if (body->small()) {
    body->raw = std::move(raw_);
    body->pool = pool_;
    raw_ = Buffer();
  } else if (file_) {
    body->spool = std::move(file_);
    body->stored_crc = stored_crc_;
  } else {
    body->stored_crc = crc32c(stored_.bytes());
    body->stored = std::exchange(stored_, Buffer());
  }
  reset();
  return PreparedBody(std::move(body));
}

PreparedBody::PreparedBody(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PreparedBody::PreparedBody(PreparedBody&&) noexcept = default;
PreparedBody& PreparedBody::operator=(PreparedBody&&) noexcept = default;
PreparedBody::~PreparedBody() = default;
const Sha256& PreparedBody::name() const { return impl_->head.name; }
uint64_t PreparedBody::size() const { return impl_->head.size; }
Result<size_t> PreparedBody::read(uint64_t offset, std::span<uint8_t> out) const { return impl_->read(offset, out); }

BodyWriter::BodyWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BodyWriter::BodyWriter(BodyWriter&&) noexcept = default;
BodyWriter& BodyWriter::operator=(BodyWriter&&) noexcept = default;
BodyWriter::~BodyWriter() = default;
Result<void> BodyWriter::write(std::span<const uint8_t> bytes) { return impl_->write(bytes); }
Result<PreparedBody> BodyWriter::finish() { return impl_->finish(); }
void BodyWriter::discard() { impl_->reset(); }

}  // namespace storage
