#include "storage/mailbox_tree.h"

#include <algorithm>

#include "storage/state.h"

namespace storage {

NameList::NameList(std::vector<std::string> names) {
  if (!std::is_sorted(names.begin(), names.end())) std::sort(names.begin(), names.end());
  names_ = SharedList<std::string, ByName>(std::move(names));
}

const MailboxInfo* MailboxTree::find(std::string_view name) const {
  if (!names.empty()) {
    const Named* there = names.find(std::string_view(AccountState::normal(name)));
    return there ? mailboxes.find(there->key) : nullptr;
  }
  auto it = std::find_if(mailboxes.begin(), mailboxes.end(),
                         [&](const MailboxInfo& m) { return AccountState::same_name(m.name, name); });
  return it == mailboxes.end() ? nullptr : &*it;
}

bool MailboxTree::any_below(std::string_view prefix) const {
  for (auto it = names.from(prefix); it != names.end() && it->name.starts_with(prefix); ++it) {
    const MailboxInfo* info = mailboxes.find(it->key);
    if (info != nullptr && (info->attributes & non_existent) == 0) return true;
  }
  return false;
}

bool MailboxTree::subscribed(std::string_view name) const { return subscriptions.contains(AccountState::normal(name)); }

}  // namespace storage
