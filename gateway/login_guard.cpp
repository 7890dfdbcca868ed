#include "gateway/login_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <utility>

namespace gateway {

namespace {

std::string network_of(const std::string& address) {
  in6_addr v6{};
  if (::inet_pton(AF_INET6, address.substr(0, address.find('%')).c_str(), &v6) != 1) return address;
  char text[INET6_ADDRSTRLEN] = {};
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    ::inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof text);
    return text;
  }
  for (size_t i = 8; i < 16; ++i) v6.s6_addr[i] = 0;
  ::inet_ntop(AF_INET6, &v6, text, sizeof text);
  return std::string(text) + "/64";
}

// Names hold no control characters, so the parts cannot run into one another.
std::array<std::string, 3> keys_of(const std::string& user, const std::string& network) {
  return {"p\n" + user + "\n" + network, "n\n" + network, "u\n" + user};
}

}  // namespace

size_t LoginGuard::entries() const {
  const std::lock_guard lock(mutex_);
  return counts_.size();
}

void LoginGuard::expire(int64_t now) {
  while (!order_.empty()) {
    const auto it = counts_.find(*order_.front());
    Count& count = it->second;
    if (count.since + limits_.window > now) return;
    count.failed = 0;
    count.since = now;
    order_.splice(order_.end(), order_, order_.begin());
    erase_if_idle(it);
  }
}

void LoginGuard::erase_if_idle(Counts::iterator it) {
  if (it->second.failed > 0 || it->second.pending > 0) return;
  order_.erase(it->second.place);
  counts_.erase(it);
}

// Drops the oldest that no running attempt will come back to.
bool LoginGuard::make_room(size_t wanted) {
  for (auto place = order_.begin(); counts_.size() + wanted > limits_.entries && place != order_.end();) {
    const auto it = counts_.find(**place);
    ++place;
    if (it->second.pending > 0) continue;
    it->second.failed = 0;
    erase_if_idle(it);
  }
  return counts_.size() + wanted <= limits_.entries;
}

LoginGuard::Answer LoginGuard::admit(const Keys& keys, int64_t now) {
  const std::array<uint32_t, 3> limits = {limits_.user_and_network, limits_.network, limits_.user};
  const std::lock_guard lock(mutex_);
  expire(now);
  std::array<Counts::iterator, 3> found;
  size_t missing = 0;
  bool busy = false;
  for (size_t i = 0; i < keys.size(); ++i) {
    found[i] = counts_.find(keys[i]);
    if (found[i] == counts_.end()) {
      ++missing;
      continue;
    }
    const Count& count = found[i]->second;
    if (count.failed >= limits[i]) return Answer::refused;
    busy = busy || count.failed + count.pending >= limits[i];
  }
  if (busy) return Answer::busy;
  // First those that are there: what is pending is not dropped to make room for the others.
  for (const auto it : found) {
    if (it != counts_.end()) ++it->second.pending;
  }
  if (!make_room(missing)) {
    for (const auto it : found) {
      if (it != counts_.end()) --it->second.pending;
    }
    return Answer::busy;
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    if (found[i] != counts_.end()) continue;
    const auto it = counts_.try_emplace(keys[i]).first;
    it->second.since = now;
    it->second.pending = 1;
    it->second.place = order_.insert(order_.end(), &it->first);
  }
  return Answer::admitted;
}

void LoginGuard::finish(const Keys& keys, bool wrong) noexcept {
  const std::lock_guard lock(mutex_);
  for (const std::string& key : keys) {
    const auto it = counts_.find(key);  // kept, since it had this one pending
    --it->second.pending;
    if (wrong) ++it->second.failed;
    erase_if_idle(it);
  }
}

LoginGuard::Attempt::Attempt(std::shared_ptr<LoginGuard> guard, const std::string& user, const std::string& address)
    : guard_(std::move(guard)), keys_(keys_of(user, network_of(address))) {}

LoginGuard::Answer LoginGuard::Attempt::admit(int64_t now) {
  const Answer answer = guard_->admit(keys_, now);
  running_ = answer == Answer::admitted;
  return answer;
}

void LoginGuard::Attempt::finish(bool wrong) noexcept {
  if (std::exchange(running_, false)) guard_->finish(keys_, wrong);
}

}  // namespace gateway
