// The account's mailboxes and subscriptions as an immutable value. Any thread.
//
// One is made for every commit, so it shares all that did not change with the one before (storage/shared_list.h): with
// 5,000 mailboxes a CREATE costs microseconds, too.
#pragma once

#include <initializer_list>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/shared_list.h"
#include "storage/types.h"

namespace storage {

// In order of creation, which is that of the keys. Elements are never null and never change.
class MailboxList {
 public:
  using Element = std::shared_ptr<const MailboxInfo>;
  struct ByKey {
    static MailboxKey key(const Element& e) { return e->key; }
  };
  using List = SharedList<Element, ByKey>;

  class iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = MailboxInfo;
    using difference_type = ptrdiff_t;
    using pointer = const MailboxInfo*;
    using reference = const MailboxInfo&;
    iterator() = default;
    explicit iterator(List::iterator at) : at_(at) {}
    reference operator*() const { return **at_; }
    pointer operator->() const { return at_->get(); }
    iterator& operator++() {
      ++at_;
      return *this;
    }
    iterator operator++(int) { return iterator(at_++); }
    bool operator==(const iterator&) const = default;

   private:
    List::iterator at_;
  };

  MailboxList() = default;
  MailboxList(std::initializer_list<MailboxInfo> list) {
    for (const MailboxInfo& m : list) push_back(m);
  }
  explicit MailboxList(std::vector<Element> ascending) : list_(std::move(ascending)) {}

  iterator begin() const { return iterator(list_.begin()); }
  iterator end() const { return iterator(list_.end()); }
  size_t size() const { return list_.size(); }
  bool empty() const { return list_.empty(); }
  void push_back(MailboxInfo info) { list_.push_back(std::make_shared<const MailboxInfo>(std::move(info))); }

  // --- of a tree that a store made: elsewhere keys need not ascend
  const MailboxInfo* find(MailboxKey key) const {
    const Element* there = list_.find(key);
    return there ? there->get() : nullptr;
  }
  void put(MailboxInfo info) { list_.put(std::make_shared<const MailboxInfo>(std::move(info))); }
  void erase(MailboxKey key) { list_.erase(key); }

 private:
  List list_;
};

// Sorted octets.
class NameList {
 public:
  struct ByName {
    static std::string_view key(const std::string& name) { return name; }
  };
  NameList() = default;
  NameList(std::initializer_list<std::string> names) : NameList(std::vector<std::string>(names)) {}
  NameList(std::vector<std::string> names);

  auto begin() const { return names_.begin(); }
  auto end() const { return names_.end(); }
  size_t size() const { return names_.size(); }
  bool empty() const { return names_.empty(); }
  bool contains(std::string_view name) const { return names_.find(name) != nullptr; }
  void put(std::string name) { names_.put(std::move(name)); }
  void erase(std::string_view name) { names_.erase(name); }
  std::vector<std::string> all() const { return {begin(), end()}; }
  bool operator==(const NameList& other) const {
    return size() == other.size() && std::equal(begin(), end(), other.begin());
  }
  const auto& list() const { return names_; }

 private:
  SharedList<std::string, ByName> names_;
};

struct MailboxTree {
  MailboxList mailboxes;
  NameList subscriptions;  // also of mailboxes that do not exist

  // Which mailbox each name is, by AccountState::normal(); empty: mailboxes are looked at one by one.
  struct Named {
    std::string name;
    MailboxKey key;
    struct ByName {
      static std::string_view key(const Named& n) { return n.name; }
    };
  };
  SharedList<Named, Named::ByName> names;

  const MailboxInfo* find(std::string_view name) const;  // INBOX in any case
  bool subscribed(std::string_view name) const;
  // Whether there is a mailbox whose name begins with `prefix`, looked for by names; not where they are empty.
  bool any_below(std::string_view prefix) const;
};
using MailboxTreePtr = std::shared_ptr<const MailboxTree>;

}  // namespace storage
