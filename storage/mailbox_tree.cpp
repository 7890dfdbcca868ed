#include "storage/mailbox_tree.h"

#include <algorithm>

#include "storage/state.h"

namespace storage {

const std::vector<std::string>& NameList::all() const {
  static const std::vector<std::string> none;
  return names_ ? *names_ : none;
}

const MailboxInfo* MailboxTree::find(std::string_view name) const {
  if (places) {
    auto it = places->find(AccountState::normal(name));
    return it == places->end() ? nullptr : &mailboxes[it->second];
  }
  auto it = std::find_if(mailboxes.begin(), mailboxes.end(),
                         [&](const MailboxInfo& m) { return AccountState::same_name(m.name, name); });
  return it == mailboxes.end() ? nullptr : &*it;
}

bool MailboxTree::subscribed(std::string_view name) const {
  return std::binary_search(subscriptions.begin(), subscriptions.end(), AccountState::normal(name));
}

}  // namespace storage
