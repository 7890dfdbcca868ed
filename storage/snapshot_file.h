// index.snap: an account's state at one LSN, in sections that are read when they are needed (docs/storage-format.md).
// Derived from the log, never more than it; what is wrong with it costs time, not mail. Errc::corrupt: do without it.
#pragma once

#include <memory>
#include <vector>

#include "storage/body_index.h"
#include "storage/env.h"
#include "storage/frame.h"
#include "storage/mailbox_state.h"
#include "storage/snapshot_chunk.h"
#include "storage/state.h"

namespace storage {

struct SnapshotHeader {
  static constexpr size_t size = 96;
  static constexpr uint32_t version = 1;
  uint32_t format = 1;  // of the sections: that of the segment that is written to
  AccountId account{};
  Lsn lsn;                   // the last frame that it holds
  Lsn tail_segment;          // where the next one will be: in the segment that starts at this LSN,
  uint64_t tail_salt = 0;    // which has this salt,
  uint64_t tail_offset = 0;  // at this offset
  uint64_t file_length = 0;
  uint32_t directory_length = 0, directory_crc = 0;

  std::array<uint8_t, size> encode() const;
  // Errc::corrupt; unsupported: of a later version.
  static Result<SnapshotHeader> decode(std::span<const uint8_t> bytes);
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
  std::vector<DictionaryPlace> dictionaries;  // format 2
  uint64_t small_bodies = 0;                  // format 2: small ones without a dictionary, about

  void encode(Buffer& out) const;  // as long whatever the sections' offsets are
  static Result<SnapshotDirectory> decode(std::span<const uint8_t> bytes);
};

class MailboxSection {
 public:
  static void encode(Buffer& out, const MailboxState& mailbox, uint32_t format);
  static Result<std::shared_ptr<const MailboxState>> decode(std::shared_ptr<const Buffer> section, MailboxKey key,
                                                            uint32_t format);
  // Gives f(name) the names of the bodies of a section of format 2, in the order of its messages.
  static Result<void> names(std::span<const uint8_t> section, const OnName& f);
};

// An open index.snap whose header and directory hold.
class SnapshotFile {
 public:
  // Errc::not_found, io, corrupt, or unsupported: of a later version, and the store with it.
  static Result<SnapshotFile> open(Env& env, const std::filesystem::path& path);
  const SnapshotHeader& header() const { return header_; }
  SnapshotDirectory& directory() { return directory_; }
  // For section() alone, by references that came out of the directory before.
  static Result<SnapshotFile> open_known(Env& env, const std::filesystem::path& path);
  Result<std::shared_ptr<const Buffer>> section(const SectionRef& ref) const;
  // The bodies section, of whichever format.
  Result<BodyTable> bodies() const;

 private:
  std::unique_ptr<File> file_;
  SnapshotHeader header_;
  SnapshotDirectory directory_;
};

}  // namespace storage
