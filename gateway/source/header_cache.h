// Headers of messages whose content is not in the copy: asked of the source alone, kept for a while (decision 3).
// Derived from what the source said, lost at any time, bounded in bytes: the least recently used go first.
// On the account's core.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>

#include "wire/base/ids.h"

namespace gateway::source {

using HeaderBytes = std::shared_ptr<const std::string>;

// Whether it is the bytes of a header with the empty line that ends it, and nothing after: what the scan of the whole
// message would call its header too. What is not (a message without a body, a server that cuts) is fetched whole.
bool is_whole_header(std::string_view text);

class HeaderCache {
 public:
  explicit HeaderCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Null: not known.
  HeaderBytes find(wire::base::MailboxKey box, wire::base::UidValidity validity, wire::base::Uid uid);
  void put(wire::base::MailboxKey box, wire::base::UidValidity validity, wire::base::Uid uid, HeaderBytes header);
  size_t bytes() const { return bytes_; }

 private:
  using Key = std::tuple<wire::base::MailboxKey, wire::base::UidValidity, wire::base::Uid>;
  struct Entry {
    Key key;
    HeaderBytes header;
  };
  static constexpr size_t overhead = 200;  // of an entry, about
  static size_t cost(const Entry& e) { return e.header->size() + overhead; }

  const size_t max_bytes_;
  size_t bytes_ = 0;
  std::list<Entry> entries_;  // the most recently used first
  std::map<Key, std::list<Entry>::iterator> at_;
};

}  // namespace gateway::source
