#include "gateway/migrate/evidence.h"

#include <boost/json.hpp>
#include <map>

namespace gateway::migrate {

namespace json = boost::json;
using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

namespace {

// Every change of an own-mode mailbox raises one of these (design 1); a change of \Recent does not and does not count.
struct Numbers {
  std::string name;
  uint64_t uid_validity, uid_next, highest_modseq, messages;
};

// Names are octets, JSON strings are text: hex keeps every name.
std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (unsigned char c : bytes) out += {digits[c >> 4], digits[c & 15]};
  return out;
}

std::map<uint64_t, Numbers> numbers_of(const storage::Account& store) {
  std::map<uint64_t, Numbers> out;
  for (const storage::MailboxInfo& m : store.tree()->mailboxes) {
    if ((m.attributes & storage::foreign) != 0) continue;
    const storage::MailboxSnapshotPtr box = store.snapshot(m.key);
    out[m.key.value] = {m.name, m.uid_validity.value, m.uid_next.value, m.highest_modseq.value, box ? box->size() : 0};
  }
  return out;
}

}  // namespace

std::string commit_evidence(const storage::Account& store) {
  json::array mailboxes;
  for (const auto& [key, n] : numbers_of(store)) {
    json::object m;
    m["key"] = key;
    m["name"] = hex(n.name);
    m["uidvalidity"] = n.uid_validity;
    m["uidnext"] = n.uid_next;
    m["highestmodseq"] = n.highest_modseq;
    m["messages"] = n.messages;
    mailboxes.push_back(std::move(m));
  }
  json::array subscriptions;
  for (const std::string& name : store.tree()->subscriptions) subscriptions.push_back(json::string(hex(name)));
  json::object out;
  out["mailboxes"] = std::move(mailboxes);
  out["subscriptions"] = std::move(subscriptions);
  return json::serialize(out);
}

Result<std::vector<std::string>> changed_since_commit(const std::string& evidence, const storage::Account& store) {
  std::vector<std::string> out;
  std::map<uint64_t, Numbers> now = numbers_of(store);
  boost::system::error_code bad;
  const json::value then = json::parse(evidence, bad);
  if (bad || !then.is_object()) return Failure(Errc::corrupt, "the evidence of the commit cannot be read");
  try {
    for (const json::value& v : then.at("mailboxes").as_array()) {
      auto it = now.find(v.at("key").to_number<uint64_t>());
      if (it == now.end()) {
        out.push_back("a mailbox was deleted");
        continue;
      }
      const Numbers& n = it->second;
      const std::string name = wire::base::escape(n.name);
      if (hex(n.name) != v.at("name").as_string()) out.push_back("renamed: " + name);
      const auto differs = [&](const char* field, uint64_t value) {
        return v.at(field).to_number<uint64_t>() != value;
      };
      if (differs("uidnext", n.uid_next) || differs("uidvalidity", n.uid_validity)) {
        out.push_back("new messages: " + name);
      } else if (differs("messages", n.messages)) {
        out.push_back("expunged messages: " + name);
      } else if (differs("highestmodseq", n.highest_modseq)) {
        out.push_back("changed flags: " + name);
      }
      now.erase(it);
    }
    for (const auto& [key, n] : now) out.push_back("new mailbox: " + wire::base::escape(n.name));
    json::array subscriptions;
    for (const std::string& name : store.tree()->subscriptions) subscriptions.push_back(json::string(hex(name)));
    if (json::value(subscriptions) != then.at("subscriptions")) out.push_back("changed subscriptions");
  } catch (const std::exception&) {
    return Failure(Errc::corrupt, "the evidence of the commit cannot be read");
  }
  return out;
}

}  // namespace gateway::migrate
