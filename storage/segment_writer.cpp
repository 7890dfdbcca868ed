#include "storage/segment_writer.h"

#include <algorithm>

#include "storage/crc32c.h"
#include "storage/record.h"
#include "wire/base/fault_point.h"

namespace storage {
namespace {

constexpr size_t buffer_size = 1u << 20;
// So much is left to the kernel at most: one sync of a whole segment at its end would hold up everybody else's.
constexpr uint64_t unsynced_most = 8u << 20;

}  // namespace

std::filesystem::path SegmentWriter::temporary() const {
  return log_ / (name().text() + std::string(unfinished_suffix));
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::create(Env& env, std::filesystem::path log,
                                                             SegmentHeader header) {
  if (header.generation == 0 || header.generation > UINT16_MAX || !header.first || header.last < header.first) {
    return Failure(Errc::internal, "no name for a rewritten segment");
  }
  uint8_t random[8];
  env.random(random);
  header.salt = load_le<uint64_t>(random);
  header.created = env.now();
  std::unique_ptr<SegmentWriter> w(new SegmentWriter(env, std::move(log), header));
  Result<std::unique_ptr<File>> file = env.open(w->temporary(), Env::Mode::truncate);
  if (!file) return file.error();
  w->file_ = std::move(*file);
  std::array<uint8_t, segment_header_size> bytes = header.encode();
  w->buffer_.put_bytes(bytes);
  return w;
}

Result<void> SegmentWriter::flush() {
  if (buffer_.empty()) return {};
  if (Result<void> r = file_->write_at(size_, buffer_.bytes()); !r) return r;
  size_ += buffer_.size();
  unsynced_ += buffer_.size();
  buffer_.clear();
  if (unsynced_ < unsynced_most) return {};
  unsynced_ = 0;
  return file_->sync();
}

Result<uint64_t> SegmentWriter::begin(const FrameHeader& header) {
  bool in_order = frames_ == 0 ? header.lsn >= header_.first : header.lsn > frame_.lsn;
  if (left_ > 0 || !in_order || header.lsn > header_.last) return Failure(Errc::internal, "frame out of order");
  frame_ = header;
  frame_.flags = static_cast<uint8_t>(frame_.flags & ~last_of_batch);
  frame_at_ = size();
  left_ = header.length;
  crc_ = 0;
  if (in_format_2(header)) header_.incompatible |= feature_format_2;
  in_batch_ = true;
  ++frames_;
  frame_.encode(buffer_.extend(frame_header_size), header_.salt);
  return frame_at_;
}

Result<void> SegmentWriter::put(std::span<const uint8_t> piece) {
  if (piece.size() > left_) return Failure(Errc::internal, "frame longer than its header says");
  crc_ = crc32c(piece, crc_);
  left_ -= piece.size();
  while (!piece.empty()) {
    size_t n = std::min(piece.size(), buffer_.size() < buffer_size ? buffer_size - buffer_.size() : 0);
    buffer_.put_bytes(piece.first(n));
    piece = piece.subspan(n);
    if (buffer_.size() < buffer_size) continue;
    if (Result<void> r = flush(); !r) return r;
  }
  return {};
}

Result<void> SegmentWriter::end() {
  if (left_ > 0) return Failure(Errc::internal, "frame shorter than its header says");
  if (crc_ != frame_.payload_crc) return Failure(Errc::corrupt, "a frame changed while it was copied");
  return {};
}

Result<uint64_t> SegmentWriter::add(const FrameHeader& header, std::span<const uint8_t> payload) {
  Result<uint64_t> at = begin(header);
  if (!at) return at;
  if (Result<void> r = put(payload); !r) return r.error();
  if (Result<void> r = end(); !r) return r.error();
  return at;
}

Result<void> SegmentWriter::add_filler(const FrameHeader& instead_of) {
  Buffer payload;
  record::encode(payload, record::Checkpoint{Lsn(0)});
  FrameHeader h;
  h.kind = FrameKind::checkpoint;
  h.lsn = instead_of.lsn;
  h.synced = instead_of.synced;
  h.epoch = instead_of.epoch;
  h.length = static_cast<uint32_t>(payload.size());
  h.payload_crc = crc32c(payload.bytes());
  Result<uint64_t> at = add(h, payload.bytes());
  return at ? Result<void>() : Result<void>(at.error());
}

Result<void> SegmentWriter::end_batch() {
  if (!in_batch_) return {};
  in_batch_ = false;
  frame_.flags |= last_of_batch;
  if (frame_at_ >= size_) {
    frame_.encode(buffer_.data() + (frame_at_ - size_), header_.salt);
    return {};
  }
  // Written already, in part or whole.
  if (Result<void> r = flush(); !r) return r;
  uint8_t bytes[frame_header_size];
  frame_.encode(bytes, header_.salt);
  return file_->write_at(frame_at_, bytes);
}

Result<void> SegmentWriter::seal() {
  if (frames_ == 0 || left_ > 0 || in_batch_ || frame_.lsn != header_.last) {
    return Failure(Errc::internal, "a rewritten segment ends with its last LSN");
  }
  if (Result<void> r = flush(); !r) return r;
  // It says what its frames need.
  if (Result<void> r = file_->write_at(0, header_.encode()); !r) return r;
  return file_->sync();
}

Result<void> SegmentWriter::publish() {
  publishing_ = true;
  wire::base::fault_point("rewrite-rename");
  if (Result<void> r = env_.rename(temporary(), path()); !r) return r;
  if (Result<void> r = env_.sync_directory(log_); !r) return r;
  wire::base::fault_point("rewrite-named");
  return {};
}

Result<void> SegmentWriter::discard() {
  file_.reset();
  auto gone = [&](const std::filesystem::path& p) -> Result<void> {
    Result<void> r = env_.remove(p);
    if (!r && r.error().code == Errc::not_found) return {};
    return r;
  };
  if (Result<void> r = gone(temporary()); !r) return r;
  if (!publishing_) return {};
  if (Result<void> r = gone(path()); !r) return r;
  return env_.sync_directory(log_);
}

}  // namespace storage
