// The lines of an archive's side files: what a mailbox and its messages are beyond their bytes (docs/operations.md,
// "Mail out and in"). One JSON object a line. Pure; any thread. Errors: Errc::malformed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/types.h"

namespace gateway::migrate {

enum class ArchiveFormat { maildir, mbox };
const char* to_string(ArchiveFormat format);
std::optional<ArchiveFormat> archive_format(std::string_view text);

// One message.
struct ArchivedMessage {
  std::string file;                 // maildir: below the mailbox's folder; mbox: empty
  uint64_t offset = 0, length = 0;  // mbox: of the quoted bytes in the file, headers that were added included
  uint64_t added = 0;               // bytes of Status headers at its start, which are not the message's
  bool unix_lines = false;          // its CRLFs were written as LF
  storage::Uid uid;
  storage::ModSeq modseq;
  storage::Flags flags;
  storage::MessageInfo info;  // `body` is its SHA-256
};
std::string to_line(const ArchivedMessage& m);
wire::base::Result<ArchivedMessage> message_from_line(std::string_view line);

// The first line of a mailbox's side file.
struct ArchivedMailbox {
  storage::MailboxInfo info;  // without key and mode
  uint64_t messages = 0;
};
std::string to_line(const ArchivedMailbox& m);
wire::base::Result<ArchivedMailbox> mailbox_from_line(std::string_view line);

// The archive as a whole: one file at its top, written last.
struct Manifest {
  ArchiveFormat format = ArchiveFormat::maildir;
  std::string user, prefix;
  struct Place {
    std::string path;  // of the mailbox: a folder or a file; empty: it holds no messages (\Noselect)
    ArchivedMailbox mailbox;
  };
  std::vector<Place> mailboxes;
  std::vector<std::string> subscriptions;
};
std::string to_text(const Manifest& m);
wire::base::Result<Manifest> manifest_from_text(std::string_view text);

inline constexpr const char* manifest_name = "fairlead-export.json";
inline constexpr const char* unfinished_name = "fairlead-export.unfinished";
inline constexpr const char* side_file_name = "fairlead-messages.jsonl";  // in a Maildir folder
inline constexpr const char* side_file_suffix = ".fairlead.jsonl";        // beside an mbox

}  // namespace gateway::migrate
