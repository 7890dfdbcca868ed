// Mail out and in: an account as Maildir++ or mbox files that other programs read, with side files that keep what those
// formats have no place for (docs/operations.md, "Mail out and in"). Each function runs on the account's core, its file
// work on the pool, a page of messages at a time; memory is bounded whatever the size of messages and mailboxes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gateway/migrate/archive_record.h"
#include "gateway/migrate/jobs.h"

namespace gateway::migrate {

inline constexpr size_t most_failures = 10'000;

struct ArchiveReport {
  std::string user;
  ArchiveFormat format = ArchiveFormat::maildir;
  uint64_t mailboxes = 0, messages = 0, bytes = 0;
  uint64_t there_before = 0;               // import: messages that an earlier run had brought
  uint64_t left_out = 0;                   // messages that could not be read or written
  std::vector<SyncReport::Failed> failed;  // they and mailboxes, each with its reason: the first most_failures
  std::vector<std::string> notes;          // what is not as it was, in words
};

// Errc::exists: the directory is not empty. What cannot be read is in `failed`; the rest is there.
awaitable<Result<ArchiveReport>> export_account(source::Services& services, std::string user, ArchiveFormat format,
                                                std::filesystem::path directory, OnProgress progress);

// Into an account whose mail is here: Errc::refused for others. An export of ours gets its identities back where no
// other mail has them; anything else gets new ones. `format` absent: as the directory looks.
awaitable<Result<ArchiveReport>> import_account(source::Services& services, std::string user,
                                                std::filesystem::path directory, std::optional<ArchiveFormat> format,
                                                OnProgress progress);

}  // namespace gateway::migrate
