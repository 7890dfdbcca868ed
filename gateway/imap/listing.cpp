#include "gateway/imap/listing.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "wire/base/flags.h"

namespace gateway::imap {
namespace {

using storage::MailboxInfo;
using storage::MailboxTree;
using wire::imap::ListData;

// A name that may be part of the answer, with what is known of it.
struct Node {
  std::string_view name;
  const MailboxInfo* info = nullptr;  // null: only a parent or a subscription
  bool subscribed = false;
};

class Names {
 public:
  // All there are; or, where nothing else can be asked for, the subscribed ones alone: clients ask for these at every
  // start, and an account may have thousands.
  Names(const MailboxTree& tree, char separator, bool subscribed_only) : separator_(separator) {
    if (subscribed_only && !tree.names.empty()) {
      tree_ = &tree;
      for (const std::string& name : tree.subscriptions) {
        const MailboxInfo* box = tree.find(name);
        nodes_.push_back({box ? std::string_view(box->name) : std::string_view(name), box, true});
      }
      // As below: in the order in which they were made, then those that are not there.
      std::stable_sort(nodes_.begin(), nodes_.end(),
                       [](const Node& a, const Node& b) { return a.info && (!b.info || a.info->key < b.info->key); });
      return;
    }
    for (const MailboxInfo& box : tree.mailboxes) {
      nodes_.push_back({box.name, &box, tree.subscribed(box.name)});
      if (!(box.attributes & storage::non_existent)) existing_.push_back(box.name);
      if (!box.special_use.empty()) special_.push_back(box.name);
      known_.insert(box.name);
    }
    for (const std::string& name : tree.subscriptions) {
      const MailboxInfo* box = tree.find(name);
      subscribed_.push_back(box ? std::string_view(box->name) : std::string_view(name));
      if (!box) add_missing(name, true);
    }
    std::sort(existing_.begin(), existing_.end());
    std::sort(special_.begin(), special_.end());
    std::sort(subscribed_.begin(), subscribed_.end());
  }

  // Parents that nobody created: "a" where only "a/b" exists.
  void add_parents(bool of_subscriptions) {
    std::set<std::string_view> parents;
    const auto collect = [&](std::string_view name) {
      for (size_t at = name.rfind(separator_); at != std::string_view::npos && at > 0;
           at = name.rfind(separator_, at - 1)) {
        const std::string_view parent = name.substr(0, at);
        // "Inbox" names INBOX (RFC 3501 5.1), which exists, whatever its children are called.
        if (!known_.contains(parent) && !wire::base::iequals(parent, "INBOX")) parents.insert(parent);
      }
    };
    if (separator_ == '\0') return;
    for (std::string_view name : of_subscriptions ? subscribed_ : existing_) collect(name);
    for (std::string_view parent : parents) add_missing(parent, false);
  }

  const std::vector<Node>& nodes() const { return nodes_; }
  bool has_child(std::string_view name) const {
    if (tree_ == nullptr) return has_below(existing_, name);
    return separator_ != '\0' && tree_->any_below(std::string(name) + separator_);
  }
  bool has_subscribed_child(std::string_view name) const { return has_below(subscribed_, name); }
  bool has_special_child(std::string_view name) const { return has_below(special_, name); }
  char separator() const { return separator_; }

 private:
  void add_missing(std::string_view name, bool subscribed) {
    if (known_.insert(name).second) nodes_.push_back({name, nullptr, subscribed});
  }
  bool has_below(const std::vector<std::string_view>& sorted, std::string_view name) const {
    if (separator_ == '\0') return false;
    std::string prefix(name);
    prefix += separator_;
    auto it = std::lower_bound(sorted.begin(), sorted.end(), std::string_view(prefix));
    return it != sorted.end() && it->starts_with(prefix);
  }

  const char separator_;
  const MailboxTree* tree_ = nullptr;  // of subscribed ones alone: has the children
  std::vector<Node> nodes_;
  std::set<std::string_view> known_;
  std::vector<std::string_view> existing_, special_, subscribed_;  // sorted
};

std::vector<std::string> whole_patterns(std::string_view reference, const std::vector<std::string>& patterns) {
  std::vector<std::string> whole;
  for (const std::string& pattern : patterns) whole.push_back(wire::imap::list_pattern(reference, pattern));
  return whole;
}

bool matches_any(const std::vector<std::string>& whole, std::string_view name, char separator) {
  return std::any_of(whole.begin(), whole.end(),
                     [&](const std::string& pattern) { return wire::imap::list_match(pattern, name, separator); });
}

bool wants_parents(const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [](const std::string& p) { return p.ends_with('%'); });
}

// LIST "" "": only the separator and the root are asked for (RFC 3501 6.3.8).
ListData root(char separator) {
  ListData out;
  out.attributes = {"\\Noselect"};
  out.separator = separator;
  return out;
}

void add_attributes(const Names& names, const Node& node, const wire::imap::cmd::List& query, ListData& out) {
  const uint32_t bits = node.info ? node.info->attributes : 0;
  if (!node.info || (bits & storage::non_existent)) {
    out.attributes.emplace_back(query.extended ? "\\NonExistent" : "\\Noselect");
  } else if (bits & storage::no_select) {
    out.attributes.emplace_back("\\Noselect");
  }
  const bool children = names.has_child(node.name);
  if (bits & storage::no_inferiors) {
    out.attributes.emplace_back("\\Noinferiors");  // implies \HasNoChildren, which then may not stand beside it
  } else {
    out.attributes.emplace_back(children ? "\\HasChildren" : "\\HasNoChildren");
  }
  if (node.subscribed && (query.select_subscribed || query.return_subscribed)) {
    out.attributes.emplace_back("\\Subscribed");
  }
  if (node.info) {
    for (const std::string& use : node.info->special_use) out.attributes.push_back(use);
  }
}

constexpr uint64_t max_steps = 50'000'000;

}  // namespace

bool only_subscribed(const wire::imap::cmd::List& query) {
  return query.select_subscribed && !query.select_recursive_match;
}

storage::Result<void> affordable(const MailboxTree& tree, std::string_view reference,
                                 const std::vector<std::string>& patterns, bool subscribed_only) {
  uint64_t names = 0, pattern_bytes = 0;
  if (!subscribed_only || tree.names.empty()) {
    for (const MailboxInfo& box : tree.mailboxes) {
      // A name of many levels stands for its parents too.
      const auto levels = std::count(box.name.begin(), box.name.end(), box.separator) + 1;
      names += box.name.size() * static_cast<uint64_t>(levels);
    }
  }
  for (const std::string& name : tree.subscriptions) names += name.size();
  for (const std::string& pattern : patterns) {
    if (pattern != "*") pattern_bytes += reference.size() + pattern.size();
  }
  if (names != 0 && pattern_bytes > max_steps / names) {
    return storage::Failure(storage::Errc::limit, "these LIST patterns are too long for so many mailboxes");
  }
  return {};
}

std::vector<ListData> list(const MailboxTree& tree, char separator, const wire::imap::cmd::List& query) {
  if (!query.extended && query.patterns.size() == 1 && query.patterns[0].empty()) return {root(separator)};
  Names names(tree, separator, only_subscribed(query));
  const bool selective = query.select_subscribed || query.select_special_use;
  const bool parents = wants_parents(query.patterns);
  if (parents && (!selective || query.select_recursive_match)) {
    names.add_parents(false);
    if (query.select_subscribed) names.add_parents(true);
  }
  const std::vector<std::string> whole = whole_patterns(query.reference, query.patterns);
  std::vector<ListData> out;
  for (const Node& node : names.nodes()) {
    if (!matches_any(whole, node.name, separator)) continue;
    const bool special = node.info && !node.info->special_use.empty();
    bool chosen = true;
    if (query.select_subscribed) chosen = node.subscribed;
    if (query.select_special_use) chosen = chosen && special;
    // Without a selection: what the owner lists, and for a "%" at the end the parents of it; not mere subscriptions.
    if (!selective) chosen = node.info || (parents && names.has_child(node.name));

    ListData data;
    if (query.select_recursive_match) {
      if (query.select_subscribed && names.has_subscribed_child(node.name)) data.child_info.push_back("SUBSCRIBED");
      if (query.select_special_use && names.has_special_child(node.name)) data.child_info.push_back("SPECIAL-USE");
    }
    if (!chosen && data.child_info.empty()) continue;
    data.separator = node.info ? node.info->separator : separator;
    data.name.octets = node.name;
    add_attributes(names, node, query, data);
    out.push_back(std::move(data));
  }
  return out;
}

std::vector<ListData> lsub(const MailboxTree& tree, char separator, const wire::imap::cmd::Lsub& query) {
  if (query.pattern.empty()) {
    ListData only = root(separator);
    only.lsub = true;
    return {only};
  }
  const std::vector<std::string> patterns{query.pattern}, whole = whole_patterns(query.reference, patterns);
  Names names(tree, separator, !wants_parents(patterns));
  if (wants_parents(patterns)) names.add_parents(true);
  std::vector<ListData> out;
  for (const Node& node : names.nodes()) {
    // RFC 3501 6.3.9: with "%", a name that is not subscribed but has subscribed names below is shown \Noselect.
    const bool parent = wants_parents(patterns) && !node.subscribed && names.has_subscribed_child(node.name);
    if (!node.subscribed && !parent) continue;
    if (!matches_any(whole, node.name, separator)) continue;
    ListData data;
    data.lsub = true;
    data.separator = node.info ? node.info->separator : separator;
    data.name.octets = node.name;
    const bool selectable = node.info && !(node.info->attributes & (storage::no_select | storage::non_existent));
    if (parent || (node.info && !selectable)) data.attributes.emplace_back("\\Noselect");
    out.push_back(std::move(data));
  }
  return out;
}

}  // namespace gateway::imap
