#include "gateway/imap/threading.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace gateway::imap {
namespace {

constexpr uint32_t none = UINT32_MAX;

void append_number(std::string& out, uint32_t n) {
  char digits[10];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}

// RFC 5256 2.2: of equal dates the sequence number decides.
struct Sent {
  int64_t at = 0;
  uint32_t message = none;
  bool operator<(const Sent& o) const { return at != o.at ? at < o.at : message < o.message; }
};

// The tree of messages and of dummies, which stand for what is referred to and not there. Node i below the number of
// messages is message i. Siblings are linked; the order in which they are linked is the order in which they came.
class Tree {
 public:
  explicit Tree(const std::vector<ThreadMessage>& messages) : messages_(messages), nodes_(messages.size()) {}

  uint32_t add_dummy() {
    nodes_.emplace_back();
    return static_cast<uint32_t>(nodes_.size() - 1);
  }
  bool dummy(uint32_t n) const { return n >= messages_.size(); }
  uint32_t parent(uint32_t n) const { return nodes_[n].parent; }
  const std::vector<uint32_t>& children(uint32_t n) const { return nodes_[n].children; }
  std::vector<uint32_t>& children(uint32_t n) { return nodes_[n].children; }
  size_t size() const { return nodes_.size(); }

  // While references are read only parents are kept; adopt_all() makes the children of them.
  void set_parent(uint32_t child, uint32_t parent) { nodes_[child].parent = parent; }
  void adopt_all() {
    for (uint32_t n = 0; n < nodes_.size(); ++n) {
      if (nodes_[n].parent != none) nodes_[nodes_[n].parent].children.push_back(n);
    }
  }
  void adopt(uint32_t child, uint32_t parent) {
    nodes_[child].parent = parent;
    nodes_[parent].children.push_back(child);
  }

  // The message that says when and what a node is: itself, or of a dummy its first child that is one. After pruning a
  // dummy's children are messages.
  uint32_t speaker(uint32_t n) const {
    while (dummy(n) && !nodes_[n].children.empty()) n = nodes_[n].children.front();
    return n;
  }
  Sent sent(uint32_t n) const {
    const uint32_t who = speaker(n);
    return {messages_[who].sent, who};
  }
  void sort(std::vector<uint32_t>& siblings) const {
    std::sort(siblings.begin(), siblings.end(), [this](uint32_t a, uint32_t b) { return sent(a) < sent(b); });
  }

  // Parents before their children.
  std::vector<uint32_t> descendants(const std::vector<uint32_t>& roots) const {
    std::vector<uint32_t> out = roots;
    for (size_t i = 0; i < out.size(); ++i) {
      const std::vector<uint32_t>& more = nodes_[out[i]].children;
      out.insert(out.end(), more.begin(), more.end());
    }
    return out;
  }

  // "(1)(2 3 (4)(5 6))"
  std::string text(const std::vector<uint32_t>& roots) const {
    std::string out;
    struct Step {
      uint32_t node;
      bool open, close;
    };
    std::vector<Step> todo;
    const auto push = [&todo](const std::vector<uint32_t>& siblings, bool alone) {
      for (auto n = siblings.rbegin(); n != siblings.rend(); ++n) {
        if (!alone) todo.push_back({none, false, true});
        todo.push_back({*n, !alone, false});
      }
    };
    push(roots, false);
    while (!todo.empty()) {
      const Step step = todo.back();
      todo.pop_back();
      if (step.close) {
        out += ')';
        continue;
      }
      if (step.open) out += '(';
      const std::vector<uint32_t>& children = nodes_[step.node].children;
      if (!dummy(step.node)) {
        append_number(out, messages_[step.node].number);
        if (!children.empty()) out += ' ';
      }
      push(children, children.size() == 1);
    }
    return out;
  }

  const ThreadMessage& message(uint32_t n) const { return messages_[n]; }

 private:
  struct Node {
    uint32_t parent = none;
    std::vector<uint32_t> children;
  };
  const std::vector<ThreadMessage>& messages_;
  std::vector<Node> nodes_;
};

// Step 1: parents by Message-ID.
class Linker {
 public:
  Linker(Tree& tree, const std::vector<ThreadMessage>& messages, const Names& names)
      : tree_(tree),
        messages_(messages),
        by_id_(names.size(), none),
        linked_(messages.size()),
        steps_(steps_in_any_case + steps_a_message * messages.size()) {
    // The first message with an id has it; later ones stand alone.
    for (uint32_t i = 0; i < messages.size(); ++i) {
      if (messages[i].id != Names::none && by_id_[messages[i].id] == none) by_id_[messages[i].id] = i;
    }
  }

  void run(const std::atomic<bool>& cancelled) {
    for (uint32_t i = 0; i < messages_.size() && !cancelled; ++i) {
      uint32_t last = none;
      for (const uint32_t reference : messages_[i].references) {
        const uint32_t node = node_of(reference);
        // A link that is there stays: a list of references may have been cut.
        if (last != none && tree_.parent(node) == none && !closes_loop(node, last)) link(node, last);
        last = node;
      }
      // The last reference is the parent, whatever another message's list made of it; if it cannot be, there is none.
      if (last != none && tree_.parent(i) == last) continue;
      unlink(i);
      if (last != none && !closes_loop(i, last)) link(i, last);
    }
  }

 private:
  // Steps of all walks together. Conversations need a few a message; lists that are made to need more shall not have
  // each link walk over all messages, and what is beyond is not linked.
  static constexpr uint64_t steps_in_any_case = 2'000'000, steps_a_message = 64;

  uint32_t node_of(uint32_t id) {
    if (by_id_[id] == none) {
      by_id_[id] = tree_.add_dummy();
      linked_.push_back(0);
    }
    return by_id_[id];
  }

  // Whether `parent` is `child` or below it.
  bool closes_loop(uint32_t child, uint32_t parent) {
    if (child == parent) return true;
    if (linked_[child] == 0) return false;
    for (uint32_t n = parent; n != none; n = tree_.parent(n)) {
      if (n == child || steps_ == 0) return true;
      --steps_;
    }
    return false;
  }
  void link(uint32_t child, uint32_t parent) {
    tree_.set_parent(child, parent);
    ++linked_[parent];
  }
  void unlink(uint32_t child) {
    if (tree_.parent(child) == none) return;
    --linked_[tree_.parent(child)];
    tree_.set_parent(child, none);
  }

  Tree& tree_;
  const std::vector<ThreadMessage>& messages_;
  std::vector<uint32_t> by_id_;   // the node of each name
  std::vector<uint32_t> linked_;  // how many children each node has
  uint64_t steps_;                // that are left
};

// Steps 2 and 3: the roots, without dummies but for those that hold several threads together.
std::vector<uint32_t> pruned(Tree& tree) {
  std::vector<uint32_t> roots;
  for (uint32_t n = 0; n < tree.size(); ++n) {
    if (tree.parent(n) == none) roots.push_back(n);
  }
  const std::vector<uint32_t> order = tree.descendants(roots);
  // Children first: a dummy's children are messages by the time that they are given to its parent.
  for (auto n = order.rbegin(); n != order.rend(); ++n) {
    std::vector<uint32_t> kept;
    for (const uint32_t child : tree.children(*n)) {
      if (!tree.dummy(child)) {
        kept.push_back(child);
        continue;
      }
      // The fewer go to the more: a chain of dummies hands its messages on. All are sorted later.
      std::vector<uint32_t> theirs = std::exchange(tree.children(child), {});
      if (theirs.size() > kept.size()) kept.swap(theirs);
      kept.insert(kept.end(), theirs.begin(), theirs.end());
    }
    tree.children(*n) = std::move(kept);
  }
  std::vector<uint32_t> out;
  for (const uint32_t n : roots) {
    if (!tree.dummy(n) || tree.children(n).size() > 1) {
      out.push_back(n);
    } else if (!tree.children(n).empty()) {
      out.push_back(tree.children(n).front());
    }
  }
  return out;
}

// Step 5: threads of one subject become one.
std::vector<uint32_t> merged(Tree& tree, const std::vector<uint32_t>& roots) {
  const auto subject = [&tree](uint32_t n) { return tree.message(tree.speaker(n)).subject; };
  const auto is_reply = [&tree](uint32_t n) { return !tree.dummy(n) && tree.message(n).reply; };
  std::unordered_map<uint32_t, uint32_t> table;  // a root by its subject
  for (const uint32_t n : roots) {
    if (subject(n) == Names::none) continue;
    const auto [at, fresh] = table.try_emplace(subject(n), n);
    if (fresh || tree.dummy(at->second)) continue;
    if (tree.dummy(n) || (is_reply(at->second) && !is_reply(n))) at->second = n;
  }
  std::vector<bool> gone;
  std::unordered_map<uint32_t, uint32_t> replaced;  // a root by the dummy that took its place
  const auto leave = [&gone](uint32_t n) {
    if (gone.size() <= n) gone.resize(n + 1);
    gone[n] = true;
  };
  for (const uint32_t n : roots) {
    if (subject(n) == Names::none) continue;
    uint32_t& there = table.find(subject(n))->second;
    if (there == n || (n < gone.size() && gone[n])) continue;
    if (tree.dummy(n) && tree.dummy(there)) {
      for (const uint32_t child : tree.children(n)) tree.children(there).push_back(child);
      tree.children(n).clear();
    } else if (tree.dummy(there) || (is_reply(n) && !is_reply(there))) {
      tree.adopt(n, there);
    } else {
      const uint32_t both = tree.add_dummy();
      tree.adopt(there, both);
      tree.adopt(n, both);
      replaced[there] = both;
      leave(there);
      there = both;
    }
    leave(n);
  }
  std::vector<uint32_t> out;
  for (const uint32_t n : roots) {
    if (const auto at = replaced.find(n); at != replaced.end()) {
      out.push_back(at->second);
    } else if (n >= gone.size() || !gone[n]) {
      out.push_back(n);
    }
  }
  return out;
}

}  // namespace

uint32_t Names::of(std::string_view text) {
  if (text.empty()) return none;
  if (const auto at = numbers_.find(text); at != numbers_.end()) return at->second;
  const auto number = static_cast<uint32_t>(texts_.size());
  numbers_.emplace(texts_.emplace_back(text), number);
  return number;
}

std::string thread_by_references(const std::vector<ThreadMessage>& messages, const Names& names,
                                 const std::atomic<bool>& cancelled) {
  Tree tree(messages);
  Linker(tree, messages, names).run(cancelled);
  if (cancelled) return {};
  tree.adopt_all();
  std::vector<uint32_t> roots = pruned(tree);
  // Step 4: which of several threads with one subject comes first decides how they are merged.
  for (const uint32_t n : roots) {
    if (tree.dummy(n)) tree.sort(tree.children(n));
  }
  tree.sort(roots);
  roots = merged(tree, roots);
  // Step 6, the youngest generation first.
  const std::vector<uint32_t> order = tree.descendants(roots);
  for (auto n = order.rbegin(); n != order.rend(); ++n) tree.sort(tree.children(*n));
  tree.sort(roots);
  return tree.text(roots);
}

std::string thread_by_subject(const std::vector<ThreadMessage>& messages, const Names& names) {
  std::vector<uint32_t> order(messages.size());
  std::iota(order.begin(), order.end(), 0);
  Tree tree(messages);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int c = names.text(messages[a].subject).compare(names.text(messages[b].subject));
    return c != 0 ? c < 0 : tree.sent(a) < tree.sent(b);
  });
  std::vector<uint32_t> roots;
  for (const uint32_t n : order) {
    if (!roots.empty() && messages[roots.back()].subject == messages[n].subject) {
      tree.adopt(n, roots.back());
    } else {
      roots.push_back(n);
    }
  }
  tree.sort(roots);
  return tree.text(roots);
}

}  // namespace gateway::imap
