// A sorted list as a value of which copies share what they have in common: it lies in parts of at most 64 elements, and
// a change makes one part anew and the list of parts. With 5,000 elements that costs some 150 pointers, and not 5,000
// elements. A value that is not changed any more may be read by any thread. No errors.
//
// Of: struct { static key(const T&) }, whose result orders elements with `<`. Keys are unique but in what push_back()
// made; find(), put() and erase() are for ascending lists.
#pragma once

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace storage {

template <class T, class Of>
class SharedList {
  using Part = std::vector<T>;
  using Parts = std::vector<std::shared_ptr<const Part>>;

 public:
  class iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = ptrdiff_t;
    using pointer = const T*;
    using reference = const T&;
    iterator() = default;
    iterator(const Parts* parts, size_t part, size_t at = 0) : parts_(parts), part_(part), at_(at) {}
    reference operator*() const { return (*(*parts_)[part_])[at_]; }
    pointer operator->() const { return &**this; }
    iterator& operator++() {
      if (++at_ == (*parts_)[part_]->size()) ++part_, at_ = 0;
      return *this;
    }
    iterator operator++(int) {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator&) const = default;

   private:
    const Parts* parts_ = nullptr;
    size_t part_ = 0, at_ = 0;
  };

  SharedList() = default;
  explicit SharedList(std::vector<T> ascending) : size_(ascending.size()) {
    for (size_t from = 0; from < ascending.size(); from += at_most) {
      const size_t to = std::min(from + at_most, ascending.size());
      parts_.push_back(std::make_shared<const Part>(std::make_move_iterator(ascending.begin() + diff(from)),
                                                    std::make_move_iterator(ascending.begin() + diff(to))));
    }
  }

  iterator begin() const { return iterator(&parts_, 0); }
  iterator end() const { return iterator(&parts_, parts_.size()); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  template <class Key>
  const T* find(const Key& key) const {
    const size_t p = part_of(key);
    if (p == parts_.size()) return nullptr;
    const auto at = place_in(*parts_[p], key);
    return at == parts_[p]->end() || key < Of::key(*at) ? nullptr : &*at;
  }

  // The first that is not below `key`; end(): none is.
  template <class Key>
  iterator from(const Key& key) const {
    const size_t p = part_of(key);
    if (p == parts_.size()) return end();
    return iterator(&parts_, p, static_cast<size_t>(place_in(*parts_[p], key) - parts_[p]->begin()));
  }

  void push_back(T element) {
    if (parts_.empty() || parts_.back()->size() == at_most) parts_.push_back(std::make_shared<const Part>());
    change(parts_.size() - 1, [&](Part& part) { part.push_back(std::move(element)); });
    ++size_;
  }

  // In the place of the one with the same key, or in its order. True: there was none.
  bool put(T element) {
    const auto& key = Of::key(element);
    size_t p = part_of(key);
    if (p == parts_.size()) {
      // Above all: goes on in the last part, or begins one.
      push_back(std::move(element));
      return true;
    }
    bool fresh = false;
    change(p, [&](Part& part) {
      auto at = part.begin() + (place_in(part, key) - part.cbegin());
      fresh = key < Of::key(*at);
      if (fresh) {
        part.insert(at, std::move(element));
      } else {
        *at = std::move(element);
      }
    });
    if (fresh) ++size_;
    if (parts_[p]->size() > at_most) split(p);
    return fresh;
  }

  // False: it was not there.
  template <class Key>
  bool erase(const Key& key) {
    if (find(key) == nullptr) return false;
    const size_t p = part_of(key);
    --size_;
    if (parts_[p]->size() == 1) {
      parts_.erase(parts_.begin() + diff(p));
      return true;
    }
    change(p, [&](Part& part) { part.erase(place_in(part, key)); });
    return true;
  }

  // Whether the two are one list, or copies of one: for tests of what is shared.
  size_t parts_shared_with(const SharedList& other) const {
    size_t n = 0;
    for (const auto& p : parts_) n += static_cast<size_t>(std::count(other.parts_.begin(), other.parts_.end(), p));
    return n;
  }
  size_t parts() const { return parts_.size(); }

 private:
  static constexpr size_t at_most = 64;
  static ptrdiff_t diff(size_t n) { return static_cast<ptrdiff_t>(n); }

  // The first part whose last element is not below `key`.
  template <class Key>
  size_t part_of(const Key& key) const {
    auto at = std::lower_bound(parts_.begin(), parts_.end(), key,
                               [](const auto& part, const Key& k) { return Of::key(part->back()) < k; });
    return static_cast<size_t>(at - parts_.begin());
  }
  template <class Key>
  static auto place_in(const Part& part, const Key& key) {
    return std::lower_bound(part.begin(), part.end(), key, [](const T& t, const Key& k) { return Of::key(t) < k; });
  }
  // A part that nobody else has seen yet could be changed in place; who has, only its owner's thread knows.
  template <class F>
  void change(size_t p, F&& f) {
    auto part = std::make_shared<Part>();
    part->reserve(parts_[p]->size() + 1);
    part->assign(parts_[p]->begin(), parts_[p]->end());
    f(*part);
    parts_[p] = std::move(part);
  }
  void split(size_t p) {
    const Part& whole = *parts_[p];
    const auto middle = whole.begin() + diff(whole.size() / 2);
    auto low = std::make_shared<const Part>(whole.begin(), middle);
    auto high = std::make_shared<const Part>(middle, whole.end());
    parts_[p] = std::move(low);
    parts_.insert(parts_.begin() + diff(p) + 1, std::move(high));
  }

  Parts parts_;
  size_t size_ = 0;
};

}  // namespace storage
