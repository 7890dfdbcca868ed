#include "gateway/source/tree_plan.h"

#include <algorithm>
#include <map>
#include <set>

namespace gateway::source {

using storage::MailboxInfo;

namespace {

bool looks_different(const MailboxInfo& m, const SourceMailbox& s) {
  return m.attributes != s.attributes || m.separator != s.separator || m.special_use != s.special_use ||
         (!s.mailbox_id.empty() && m.mailbox_id != s.mailbox_id);
}

bool was_renamed(const MailboxInfo& m, const SourceMailbox& s, const std::multiset<uint32_t>& validities) {
  if (!s.mailbox_id.empty() && !m.mailbox_id.empty()) return m.mailbox_id == s.mailbox_id;
  if (!s.uid_validity || !s.selectable() || m.uid_validity != *s.uid_validity) return false;
  if (validities.count(m.uid_validity.value) != 1) return false;
  return !s.uid_next || m.uid_next <= *s.uid_next;
}

}  // namespace

TreePlan plan_tree(const storage::MailboxTree& copy, const std::vector<SourceMailbox>& source,
                   const std::vector<std::string>& subscriptions) {
  TreePlan plan;
  std::map<std::string_view, const SourceMailbox*> there;
  for (const SourceMailbox& s : source) there.emplace(s.name, &s);
  std::vector<const MailboxInfo*> gone;
  std::multiset<uint32_t> validities;
  std::set<std::string_view> known;
  for (const MailboxInfo& m : copy.mailboxes) {
    validities.insert(m.uid_validity.value);
    known.insert(m.name);
    auto it = there.find(m.name);
    if (it == there.end()) {
      gone.push_back(&m);
    } else if (looks_different(m, *it->second)) {
      plan.change.emplace_back(m, *it->second);
    }
  }
  std::set<std::string_view> handled;
  for (const SourceMailbox& s : source) {
    if (known.contains(s.name) || !handled.insert(s.name).second) continue;
    auto from =
        std::find_if(gone.begin(), gone.end(), [&](const MailboxInfo* m) { return was_renamed(*m, s, validities); });
    if (from != gone.end()) {
      plan.renames.push_back({**from, s});
      gone.erase(from);
    } else {
      plan.create.push_back(s);
    }
  }
  for (const MailboxInfo* m : gone) plan.remove.push_back(*m);
  const std::set<std::string_view> wanted(subscriptions.begin(), subscriptions.end());
  const std::set<std::string_view> have(copy.subscriptions.begin(), copy.subscriptions.end());
  for (std::string_view name : wanted) {
    if (!have.contains(name)) plan.subscribe.emplace_back(name);
  }
  for (std::string_view name : have) {
    if (!wanted.contains(name)) plan.unsubscribe.emplace_back(name);
  }
  return plan;
}

}  // namespace gateway::source
