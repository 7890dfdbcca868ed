// index.snap: an account's state at one LSN, in sections that are read when they are needed (docs/storage-format.md).
// Derived from the log, never more than it; what is wrong with it costs time, not mail. Errc::corrupt: do without it.
#pragma once

#include <memory>
#include <vector>

#include "storage/body_finder.h"
#include "storage/dictionary.h"
#include "storage/env.h"
#include "storage/frame.h"
#include "storage/mailbox_state.h"
#include "storage/snapshot_chunk.h"
#include "storage/snapshot_places.h"
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
  SectionRef finder;                          // the head of it; the first snapshots have none

  void encode(Buffer& out) const;  // as long whatever the sections' offsets are
  static Result<SnapshotDirectory> decode(std::span<const uint8_t> bytes);
};

class MailboxSection {
 public:
  // What is read to select it, and (format 2) what lies behind that in the file and is read later.
  static void encode(Buffer& hot, Buffer& cold, const MailboxState& mailbox, uint32_t format,
                     std::vector<ColdPiece>& pieces);
  // `cold`: where the cold bytes begin, in format 2.
  static Result<std::shared_ptr<const MailboxState>> decode(std::shared_ptr<const Buffer> hot, MailboxKey key,
                                                            uint32_t format, ColdStore::Place cold);
  // Format 2: how its cold bytes are divided.
  static Result<std::vector<PassedChunk>> chunks(std::span<const uint8_t> hot);
};

// An open index.snap whose header and directory hold.
class SnapshotFile {
 public:
  // Errc::not_found, io, corrupt, or unsupported: of a later version, and the store with it.
  static Result<SnapshotFile> open(Env& env, const std::filesystem::path& path);
  const SnapshotHeader& header() const { return header_; }
  SnapshotDirectory& directory() { return directory_; }
  // For section() alone, by references that came out of the directory before.
  static Result<SnapshotFile> open_known(std::shared_ptr<const File> file);
  Result<std::shared_ptr<const Buffer>> section(const SectionRef& ref) const;
  // A mailbox as it is there. `cold`: this file opened before, so that there is one descriptor for all mailboxes; null:
  // as it is opened now.
  Result<std::shared_ptr<const MailboxState>> mailbox(const SectionRef& ref, MailboxKey key,
                                                      std::shared_ptr<const ColdFile> cold) const;
  // Format 2: what lies behind a mailbox's section, all checked before it
  // gives f(name) the names of its bodies in their order.
  Result<std::shared_ptr<const Buffer>> cold(const SectionRef& ref, const Buffer& hot, const OnName& f) const;
  // The bodies section, of whichever format.
  Result<BodyTable> bodies() const;
  // Where each is without reading all of it; null: it has none.
  Result<std::shared_ptr<const BodyFinder>> finder() const { return finder(directory_.finder); }
  Result<std::shared_ptr<const BodyFinder>> finder(const SectionRef& ref) const;
  std::shared_ptr<const File> file() const { return file_; }
  uint64_t base() const { return SnapshotHeader::size + uint64_t{header_.directory_length}; }  // of all sections

 private:
  std::shared_ptr<const File> file_;
  SnapshotHeader header_;
  SnapshotDirectory directory_;
};

}  // namespace storage
