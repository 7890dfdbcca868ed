#include "gateway/imap/sessions.h"

#include <ctime>

namespace gateway::imap {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

namespace {

void take_one(std::map<std::string, uint32_t>& counts, const std::string& key) {
  auto it = counts.find(key);
  if (it != counts.end() && --it->second == 0) counts.erase(it);
}

}  // namespace

Result<std::unique_ptr<Sessions::Ticket>> Sessions::enter(std::string protocol, std::string address, bool tls) {
  const std::lock_guard lock(mutex_);
  if (closed_) return Failure(Errc::unavailable, why_closed_);
  uint32_t& from_there = by_address_[address];
  if (per_address_ != 0 && from_there >= per_address_) return Failure(Errc::limit, "Too many connections from you");
  ++from_there;
  const uint64_t id = next_id_++;
  Entry& entry = entries_[id];
  entry.info.id = id;
  entry.info.protocol = std::move(protocol);
  entry.info.address = std::move(address);
  entry.info.tls = tls;
  entry.info.since = std::time(nullptr);
  return std::unique_ptr<Ticket>(new Ticket(*this, id));
}

std::vector<SessionInfo> Sessions::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<SessionInfo> out;
  out.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) out.push_back(entry.info);
  return out;
}

size_t Sessions::kick_user(const std::string& user, const std::string& why) {
  const std::lock_guard lock(mutex_);
  size_t n = 0;
  for (auto& [id, entry] : entries_) {
    if (entry.info.user != user || !entry.leave) continue;
    entry.leave(why);
    ++n;
  }
  return n;
}

bool Sessions::kick(uint64_t id, const std::string& why) {
  const std::lock_guard lock(mutex_);
  auto it = entries_.find(id);
  if (it == entries_.end() || !it->second.leave) return false;
  it->second.leave(why);
  return true;
}

void Sessions::close(const std::string& why) {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  why_closed_ = why;
  for (auto& [id, entry] : entries_) {
    if (entry.leave) entry.leave(why);
  }
}

size_t Sessions::count() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

Sessions::Ticket::~Ticket() {
  const std::lock_guard lock(all_.mutex_);
  auto it = all_.entries_.find(id_);
  take_one(all_.by_address_, it->second.info.address);
  if (!it->second.info.user.empty()) take_one(all_.by_user_, it->second.info.user);
  all_.entries_.erase(it);
}

void Sessions::Ticket::on_leave(Leave leave) {
  const std::lock_guard lock(all_.mutex_);
  Entry& entry = all_.entries_.at(id_);
  entry.leave = std::move(leave);
  if (all_.closed_) entry.leave(all_.why_closed_);
}

Result<void> Sessions::Ticket::set_user(const std::string& user) {
  const std::lock_guard lock(all_.mutex_);
  uint32_t& of_user = all_.by_user_[user];
  if (all_.per_user_ != 0 && of_user >= all_.per_user_) return Failure(Errc::limit, "Too many sessions of this user");
  ++of_user;
  all_.entries_.at(id_).info.user = user;
  return {};
}

void Sessions::Ticket::set_mailbox(const std::string& mailbox) {
  const std::lock_guard lock(all_.mutex_);
  all_.entries_.at(id_).info.mailbox = mailbox;
}

void Sessions::Ticket::set_command(std::string_view command) {
  const std::lock_guard lock(all_.mutex_);
  all_.entries_.at(id_).info.command = command;
}

void Sessions::Ticket::set_tls() {
  const std::lock_guard lock(all_.mutex_);
  all_.entries_.at(id_).info.tls = true;
}

}  // namespace gateway::imap
