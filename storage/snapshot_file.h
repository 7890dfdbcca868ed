// index.snap: an account's state at one LSN, in sections that are read when they are needed (docs/storage-format.md).
// Derived from the log, never more than it; what is wrong with it costs time, not mail. Errc::corrupt: do without it.
#pragma once

#include <memory>
#include <vector>

#include "storage/body_index.h"
#include "storage/env.h"
#include "storage/frame.h"
#include "storage/mailbox_state.h"
#include "storage/state.h"

namespace storage {

struct SnapshotHeader {
  static constexpr size_t size = 96;
  static constexpr uint32_t version = 1;
  AccountId account{};
  Lsn lsn;                   // the last frame that it holds
  Lsn tail_segment;          // where the next one will be: in the segment that starts at this LSN,
  uint64_t tail_salt = 0;    // which has this salt,
  uint64_t tail_offset = 0;  // at this offset
  uint64_t file_length = 0;
  uint32_t directory_length = 0, directory_crc = 0;

  std::array<uint8_t, size> encode() const;
  static std::optional<SnapshotHeader> decode(std::span<const uint8_t> bytes);
};

// What follows the header. Section offsets count from the end of the directory.
struct SnapshotDirectory {
  std::vector<SegmentName> segments;
  std::set<std::string> subscriptions;
  std::map<std::string, std::string> annotations;
  std::map<std::string, UidValidity> validities;
  MailboxKey next_key;
  Epoch epoch;
  std::map<MailboxKey, AccountState::Slot> slots;
  SectionRef bodies;

  void encode(Buffer& out) const;  // as long whatever the sections' offsets are
  static Result<SnapshotDirectory> decode(std::span<const uint8_t> bytes);
};

class MailboxSection {
 public:
  static void encode(Buffer& out, const MailboxState& mailbox);
  static Result<std::shared_ptr<const MailboxState>> decode(std::shared_ptr<const Buffer> section, MailboxKey key);
};

void encode_bodies(Buffer& out, std::span<const BodyPlace> places);
// A place says its segment by the first LSN; which generation that is, the directory's segments do.
Result<std::vector<BodyPlace>> decode_bodies(std::span<const uint8_t> section, std::span<const SegmentName> segments);

// An open index.snap whose header and directory hold.
class SnapshotFile {
 public:
  // Errc::not_found, io, or corrupt (also: another version).
  static Result<SnapshotFile> open(Env& env, const std::filesystem::path& path);
  const SnapshotHeader& header() const { return header_; }
  SnapshotDirectory& directory() { return directory_; }
  // For section() alone, by references that came out of the directory before.
  static Result<SnapshotFile> open_known(Env& env, const std::filesystem::path& path);
  Result<std::shared_ptr<const Buffer>> section(const SectionRef& ref) const;

 private:
  std::unique_ptr<File> file_;
  SnapshotHeader header_;
  SnapshotDirectory directory_;
};

}  // namespace storage
