// Compares one mailbox as the source lists it with the copy's snapshot, attribute by attribute. Pure; fed message by
// message in any order, so that memory does not grow with the mailbox.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gateway/migrate/jobs.h"
#include "gateway/source/importer.h"
#include "storage/mailbox.h"

namespace gateway::migrate {

struct SourceNumbers {
  storage::UidValidity uid_validity;
  std::optional<storage::Uid> uid_next;
  std::optional<storage::ModSeq> highest_modseq;  // absent: the source has no CONDSTORE, or not for this mailbox
};

class MailboxCompare {
 public:
  // `copy` null: the copy has no such mailbox.
  MailboxCompare(std::string name, storage::MailboxSnapshotPtr copy, const SourceNumbers& numbers);

  // `body`: SHA-256 of the bytes that the source sent now; absent when bodies are not compared.
  void add(const source::Listed& message, const std::optional<storage::Sha256>& body);
  void body_unreadable(storage::Uid uid, const std::string& why);

  VerifyReport::Mailbox finish();

 private:
  void differ(const char* what, std::string example);

  storage::MailboxSnapshotPtr copy_;
  bool modseqs_ = false;  // both sides show the same numbering
  storage::UidSet seen_;
  VerifyReport::Mailbox out_;
};

}  // namespace gateway::migrate
