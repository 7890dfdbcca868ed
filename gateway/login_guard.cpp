#include "gateway/login_guard.h"

namespace gateway {

namespace {

// Names hold no control characters, so the parts cannot run into one another.
std::string pair_key(const std::string& user, const std::string& address) { return "p\n" + user + "\n" + address; }
std::string address_key(const std::string& address) { return "a\n" + address; }
std::string user_key(const std::string& user) { return "u\n" + user; }

}  // namespace

LoginGuard::Count& LoginGuard::count(const std::string& key, int64_t now) {
  while (!order_.empty() && (order_.front().first + limits_.window <= now || counts_.size() >= limits_.entries)) {
    const auto it = counts_.find(order_.front().second);
    if (it != counts_.end() && it->second.since == order_.front().first) counts_.erase(it);
    order_.pop_front();
  }
  const auto [it, added] = counts_.try_emplace(key);
  if (added) {
    it->second.since = now;
    order_.emplace_back(now, key);
  }
  return it->second;
}

bool LoginGuard::admit(const std::string& user, const std::string& address, int64_t now) {
  const std::lock_guard lock(mutex_);
  // One after the other: making room for a later one may drop an earlier one.
  if (count(pair_key(user, address), now).attempts >= limits_.user_and_address) return false;
  if (count(address_key(address), now).attempts >= limits_.address) return false;
  if (count(user_key(user), now).attempts >= limits_.user) return false;
  ++count(pair_key(user, address), now).attempts;
  ++count(address_key(address), now).attempts;
  ++count(user_key(user), now).attempts;
  return true;
}

void LoginGuard::forgive(const std::string& key) {
  const auto it = counts_.find(key);
  if (it != counts_.end() && it->second.attempts > 0) --it->second.attempts;
}

void LoginGuard::forgive(const std::string& user, const std::string& address) {
  const std::lock_guard lock(mutex_);
  forgive(pair_key(user, address));
  forgive(address_key(address));
  forgive(user_key(user));
}

}  // namespace gateway
