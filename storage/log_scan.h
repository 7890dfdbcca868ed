// Reads a log's frames in order, tells a torn tail from corruption, and hands over whole batches only
// (docs/storage-format.md, "Recovery"). Writes nothing. One thread. Errors: io (nothing can be said about the log
// then), unsupported (feature bits or frames of a later build: leave it untouched).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "storage/account.h"
#include "storage/coding.h"
#include "storage/file_window.h"
#include "storage/frame.h"
#include "storage/segments.h"

namespace storage {

struct LogFrame {
  FrameHeader header;
  Lsn segment;                       // the first LSN in its segment's name
  uint32_t generation;               // of that segment
  uint64_t offset;                   // of the frame's header
  std::span<const uint8_t> payload;  // of a body: only its first bytes, at least the head
  bool damaged = false;              // a letter (letter.h) of which only the head is good: there is no body here
};

struct LogPosition {
  size_t segment = 0;  // index in the list of segments
  uint64_t offset = 0;
};

// Reads one segment forward through a buffer of 1 MiB.
class SegmentReader {
 public:
  SegmentReader(std::shared_ptr<const File> file, uint64_t size, uint64_t salt);
  enum class Got {
    frame,
    bad_payload,  // the header holds: header() and next() can be relied on; payload() too, where a letter's head does
    bad_header,
    end,
  };
  Result<Got> read(uint64_t offset);
  const FrameHeader& header() const { return header_; }
  std::span<const uint8_t> payload() const { return payload_; }
  uint64_t next() const { return offset_ + frame_header_size + header_.length; }
  // The next offset > `after` where a frame's header is; size() if none.
  Result<uint64_t> find_header(uint64_t after);
  uint64_t size() const { return size_; }

 private:
  uint64_t size_, salt_;
  uint64_t offset_ = 0;
  FrameHeader header_;
  std::span<const uint8_t> payload_;
  FileWindow window_;
};

class LogScan {
 public:
  using OnBatch = std::function<Result<void>(std::span<const LogFrame>)>;

  // `writing`: features that only forbid writing are refused, too.
  LogScan(Env& env, std::filesystem::path log, std::vector<SegmentName> segments, bool writing);

  // From `from`, where the frame `expected` is looked for. `synced`: highest LSN otherwise known to have been durable.
  Result<void> run(LogPosition from, Lsn expected, Lsn synced, const OnBatch& on_batch);

  // Errc::unsupported: a segment of a later version.
  Result<void> check_features(size_t segment);

  // --- afterwards
  Lsn next() const { return expected_; }
  LogPosition end() const { return end_; }  // where good frames end
  std::optional<SegmentHeader> end_header() const { return end_header_; }
  bool torn() const { return torn_; }  // everything after end() has to go
  uint64_t torn_bytes() const { return torn_bytes_; }
  // A new segment whose frames came through a crash and whose header did not: it has to be written again.
  const std::optional<std::pair<size_t, SegmentHeader>>& torn_header() const { return torn_header_; }
  // The highest LSN that a rewritten segment which was read says the log must reach.
  Lsn needs() const { return needs_; }
  Lsn synced() const { return synced_; }  // highest LSN known to have been durable
  // Where frames start that are not: they have to be made so before they count.
  const std::deque<std::pair<Lsn, LogPosition>>& unsynced() const { return unsynced_; }
  uint64_t frames() const { return frames_; }
  uint64_t bytes() const { return bytes_; }
  // The last segment's own header is damaged: nothing more is appended to it.
  bool end_mended() const { return end_mended_; }
  const std::vector<OpenReport::Damage>& damage() const { return damage_; }
  const std::vector<SegmentName>& segments() const { return segments_; }
  const AccountId& account() const { return account_; }
  uint32_t format() const { return format_; }  // the newest that was met

 private:
  struct Opened {
    std::shared_ptr<File> file;
    uint64_t size = 0;
    std::optional<SegmentHeader> header;  // nothing: it cannot be read even by its frames
    bool mended = false;                  // taken from its frames
  };
  Result<Opened> open(size_t segment);
  Result<void> scan_segment(size_t segment, uint64_t offset, bool& stop);
  Result<bool> is_torn(LogPosition bad);
  Result<void> cut(LogPosition at);
  Result<void> flush();
  void keep(size_t segment, const SegmentReader& reader, uint64_t offset, bool damaged);
  void lost(Lsn first, Lsn last, const char* what, LogPosition at);
  std::string where(LogPosition at) const;

  Env& env_;
  std::filesystem::path log_;
  std::vector<SegmentName> segments_;
  bool writing_;
  const OnBatch* on_batch_ = nullptr;
  Lsn expected_, synced_, needs_;
  LogPosition end_;
  std::optional<SegmentHeader> end_header_;
  bool end_mended_ = false;
  std::optional<std::pair<size_t, SegmentHeader>> torn_header_;
  bool torn_ = false;
  uint64_t torn_bytes_ = 0, frames_ = 0, bytes_ = 0;
  std::optional<Lsn> synced_later_;  // by frames after the first bad one
  std::deque<std::pair<Lsn, LogPosition>> unsynced_;
  std::vector<OpenReport::Damage> damage_;
  AccountId account_{};
  bool have_account_ = false;
  uint32_t format_ = 1;

  std::vector<LogFrame> pending_;   // of a batch whose end has not been seen
  std::vector<size_t> pending_at_;  // their payloads in pending_bytes_
  Buffer pending_bytes_;
};

}  // namespace storage
