// The account's mailboxes and subscriptions as an immutable value. Any thread.
//
// One is made for every commit, so it shares all that did not change with the one before: with 5,000 mailboxes it costs
// a list of pointers, not 5,000 names.
#pragma once

#include <initializer_list>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/types.h"

namespace storage {

// In order of creation. Elements are never null and never change.
class MailboxList {
 public:
  using Element = std::shared_ptr<const MailboxInfo>;
  class iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = MailboxInfo;
    using difference_type = ptrdiff_t;
    using pointer = const MailboxInfo*;
    using reference = const MailboxInfo&;
    iterator() = default;
    explicit iterator(const Element* at) : at_(at) {}
    reference operator*() const { return **at_; }
    pointer operator->() const { return at_->get(); }
    iterator& operator++() {
      ++at_;
      return *this;
    }
    iterator operator++(int) {
      iterator before = *this;
      ++at_;
      return before;
    }
    bool operator==(const iterator&) const = default;

   private:
    const Element* at_ = nullptr;
  };

  MailboxList() = default;
  MailboxList(std::initializer_list<MailboxInfo> list) {
    for (const MailboxInfo& m : list) push_back(m);
  }
  explicit MailboxList(std::vector<Element> list) : list_(std::move(list)) {}

  iterator begin() const { return iterator(list_.data()); }
  iterator end() const { return iterator(list_.data() + list_.size()); }
  size_t size() const { return list_.size(); }
  bool empty() const { return list_.empty(); }
  const MailboxInfo& operator[](size_t i) const { return *list_[i]; }
  void push_back(MailboxInfo info) { list_.push_back(std::make_shared<const MailboxInfo>(std::move(info))); }
  void replace(size_t i, MailboxInfo info) { list_[i] = std::make_shared<const MailboxInfo>(std::move(info)); }

 private:
  std::vector<Element> list_;
};

// Sorted octets.
class NameList {
 public:
  NameList() = default;
  NameList(std::initializer_list<std::string> names)
      : names_(std::make_shared<const std::vector<std::string>>(names)) {}
  NameList(std::vector<std::string> names)
      : names_(std::make_shared<const std::vector<std::string>>(std::move(names))) {}

  auto begin() const { return all().begin(); }
  auto end() const { return all().end(); }
  size_t size() const { return all().size(); }
  bool empty() const { return all().empty(); }
  const std::vector<std::string>& all() const;
  bool operator==(const NameList& other) const { return all() == other.all(); }

 private:
  std::shared_ptr<const std::vector<std::string>> names_;
};

struct MailboxTree {
  MailboxList mailboxes;
  NameList subscriptions;  // also of mailboxes that do not exist

  // Where each name is in `mailboxes`; null: looked for one by one.
  using Places = std::unordered_map<std::string, size_t>;
  std::shared_ptr<const Places> places;

  const MailboxInfo* find(std::string_view name) const;  // INBOX in any case
  bool subscribed(std::string_view name) const;
};
using MailboxTreePtr = std::shared_ptr<const MailboxTree>;

}  // namespace storage
