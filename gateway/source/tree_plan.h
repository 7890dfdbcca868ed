// What must change in the copy's mailboxes and subscriptions so that they are the source's. Pure; tested as a table.
#pragma once

#include <string>
#include <vector>

#include "storage/account.h"
#include "storage/types.h"

namespace gateway::source {

// The source's side: one mailbox of a LIST, with the numbers of its STATUS where they were asked.
struct SourceMailbox {
  std::string name;
  char separator = 0;
  uint32_t attributes = 0;  // storage::MailboxAttribute
  std::vector<std::string> special_use;
  std::string mailbox_id;
  std::optional<storage::UidValidity> uid_validity;
  std::optional<storage::Uid> uid_next;
  std::optional<storage::ModSeq> highest_modseq;
  std::optional<uint64_t> messages;

  bool foreign() const { return (attributes & storage::foreign) != 0; }
  bool selectable() const { return (attributes & (storage::no_select | storage::non_existent)) == 0; }
};

struct TreePlan {
  struct Rename {
    storage::MailboxInfo from;
    SourceMailbox to;
  };
  std::vector<Rename> renames;
  std::vector<SourceMailbox> create;
  std::vector<std::pair<storage::MailboxInfo, SourceMailbox>> change;  // attributes, special use, separator
  std::vector<storage::MailboxInfo> remove;
  std::vector<std::string> subscribe, unsubscribe;
  bool empty() const {
    return renames.empty() && create.empty() && change.empty() && remove.empty() && subscribe.empty() &&
           unsubscribe.empty();
  }
};

// A name that is gone and a name that is new are one mailbox renamed when MAILBOXID says so, or when it is not told,
// the UIDVALIDITY is the same, no other mailbox has that UIDVALIDITY, and UIDNEXT has not gone down.
TreePlan plan_tree(const storage::MailboxTree& copy, const std::vector<SourceMailbox>& source,
                   const std::vector<std::string>& subscriptions);

}  // namespace gateway::source
