// One mailbox of an archive as messages, page by page: from its side file where there is one, from the folder or file
// itself where there is none. Blocking: on the pool, one thread at a time. Memory: one page of messages whose bodies
// above 1 MiB are spooled; names of messages that no side file knows.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/migrate/archive_file.h"
#include "gateway/migrate/archive_record.h"
#include "storage/body.h"
#include "storage/mailbox.h"

namespace gateway::migrate {

struct Incoming {
  ArchivedMessage message;  // uid 0: no side file knows it
  std::optional<storage::PreparedBody> body;
  bool there = false;                        // the account has it already, from an earlier run
  std::optional<wire::base::Failure> wrong;  // one message's problem
};

class ArchiveReader {
 public:
  // `there`: what the account has under the identities of the side file; null: nothing, or other identities.
  ArchiveReader(ArchiveFormat format, std::filesystem::path place, storage::BodyWriter writer);

  // The head of its side file; nullopt: there is none.
  wire::base::Result<std::optional<ArchivedMailbox>> open();
  void set_there(storage::MailboxSnapshotPtr there) { there_ = std::move(there); }
  // Empty: that was all.
  wire::base::Result<std::vector<Incoming>> page();
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Span {
    uint64_t from, to;
    bool unquote, to_mail;
  };
  wire::base::Result<std::optional<Incoming>> recorded();
  wire::base::Result<std::optional<Incoming>> unknown_file();
  wire::base::Result<std::optional<Incoming>> unknown_part();
  wire::base::Result<storage::PreparedBody> read(const InFile& file, const Span& span);
  void take_body(Incoming& in, const InFile& file, const Span& span);
  wire::base::Result<void> list_strays();
  wire::base::Result<void> next_line(bool& end);

  const ArchiveFormat format_;
  const std::filesystem::path place_;
  storage::BodyWriter writer_;
  storage::MailboxSnapshotPtr there_;
  std::optional<InFile> side_;  // until its end
  bool had_side_ = false;
  std::vector<std::string> notes_;

  // Maildir: files that are not where a side file says, by their base name, and those that it does not know.
  std::vector<uint64_t> known_;                           // hashes of base names, sorted
  std::unordered_map<std::string, std::string> renamed_;  // base -> "cur/name"
  std::vector<std::string> strays_;                       // "cur/name", in the order of arrival
  size_t next_stray_ = 0;

  // mbox without a side file: lines, one by one.
  std::optional<InFile> mbox_;
  std::string window_;
  uint64_t window_at_ = 0, line_at_ = 0, line_length_ = 0;
  std::string line_start_;  // its first bytes
  bool started_ = false, ended_ = false;
};

}  // namespace gateway::migrate
