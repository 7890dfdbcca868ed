#include "gateway/source/header_cache.h"

namespace gateway::source {

bool is_whole_header(std::string_view text) {
  if (text.empty() || text.back() != '\n') return false;
  // The line ends one by one: the first empty line must be the last of all.
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    const std::string_view line = text.substr(start, end - start);
    start = end + 1;
    if (line.empty() || line == "\r") return start == text.size();
  }
  return false;
}

HeaderBytes HeaderCache::find(wire::base::MailboxKey box, wire::base::UidValidity validity, wire::base::Uid uid) {
  const auto it = at_.find(Key(box, validity, uid));
  if (it == at_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, it->second);
  return it->second->header;
}

void HeaderCache::put(wire::base::MailboxKey box, wire::base::UidValidity validity, wire::base::Uid uid,
                      HeaderBytes header) {
  const Key key(box, validity, uid);
  if (const auto it = at_.find(key); it != at_.end()) {
    bytes_ -= cost(*it->second);
    entries_.erase(it->second);
    at_.erase(it);
  }
  entries_.push_front(Entry{key, std::move(header)});
  at_[key] = entries_.begin();
  bytes_ += cost(entries_.front());
  while (bytes_ > max_bytes_ && !entries_.empty()) {
    bytes_ -= cost(entries_.back());
    at_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace gateway::source
