#include "gateway/admin/render.h"

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <cstdio>

#include "gateway/admin/verbs.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;

std::string fixed(double v, int digits) {
  char text[48];
  return std::string(text, static_cast<size_t>(std::snprintf(text, sizeof text, "%.*f", digits, v)));
}

std::string count(uint64_t n, const char* one, const char* many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

// Always present, so that who reads them need not know which a build can find.
constexpr std::array<const char*, 12> difference_kinds{"uidvalidity", "uidnext", "highestmodseq", "missing",
                                                       "extra",       "flags",   "internaldate",  "size",
                                                       "modseq",      "body",    "uidl",          "pop3_order"};

json::value optional_flag(const std::optional<bool>& b) { return b ? json::value(*b) : json::value(nullptr); }

const char* yes_no(bool b) { return b ? "yes" : "no"; }
const char* yes_no(const std::optional<bool>& b) { return !b ? "not tried" : *b ? "yes" : "NO"; }

}  // namespace

std::string human_bytes(uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  double v = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* u : {"kB", "MB", "GB", "TB"}) {
    if (v < 1000) break;
    v /= 1000;
    unit = u;
  }
  return fixed(v, 1) + " " + unit;
}

VerbResult render(const migrate::SyncReport& r) {
  VerbResult out;
  out.json["user"] = r.user;
  out.json["mailboxes"] = r.mailboxes;
  out.json["messages"] = r.messages;
  out.json["bodies"] = r.bodies;
  out.json["bytes"] = r.bytes;
  out.json["seconds"] = r.seconds;
  out.json["commands"] = r.commands;
  out.text = r.user + ": " + count(r.mailboxes, "mailbox", "mailboxes") + ", ";
  if (r.messages == 0 && r.bodies == 0) {
    out.text += "nothing new";
  } else {
    out.text += count(r.messages, "message", "messages") + ", " + human_bytes(r.bytes) + " fetched";
  }
  out.text += " (" + fixed(r.seconds, 2) + " s, " + count(r.commands, "command", "commands") + ")\n";
  json::array failures;
  for (const auto& f : r.failed) {
    json::object o;
    o["mailbox"] = f.mailbox;
    o["uid"] = f.uid;
    o["why"] = f.why;
    failures.push_back(std::move(o));
    out.text += "  not copied: " + wire::base::escape(f.mailbox) + (f.uid != 0 ? " UID " + std::to_string(f.uid) : "") +
                ": " + f.why + "\n";
  }
  if (!r.failed.empty()) out.exit = Exit::no;
  out.json["failed"] = std::move(failures);
  return out;
}

VerbResult render(const migrate::VerifyReport& r, bool full) {
  VerbResult out;
  out.exit = r.equal ? Exit::done : Exit::no;
  out.json["user"] = r.user;
  out.json["equal"] = r.equal;
  json::array mailboxes;
  uint64_t messages = 0, different = 0;
  std::string lines;
  for (const auto& m : r.mailboxes) {
    json::object o;
    o["name"] = m.name;
    o["equal"] = m.equal;
    o["messages"] = m.messages;
    json::object differences;
    for (const char* kind : difference_kinds) differences[kind] = uint64_t{0};
    std::vector<std::string> words;
    for (const auto& [kind, n] : m.differences) {
      differences[kind] = n;
      if (n != 0) words.push_back(kind + " " + std::to_string(n));
    }
    o["differences"] = std::move(differences);
    mailboxes.push_back(std::move(o));
    messages += m.messages;
    if (m.equal) continue;
    ++different;
    lines += "  " + wire::base::escape(m.name) + ": " + joined(words, ", ") + "\n";
    for (const std::string& example : m.examples) lines += "    " + example + "\n";
  }
  out.json["mailboxes"] = std::move(mailboxes);
  json::object subscriptions;
  subscriptions["equal"] = r.subscriptions_equal;
  out.json["subscriptions"] = std::move(subscriptions);
  out.json["not_preservable"] = json_list(r.not_preservable);
  out.text = r.user + ": " + count(r.mailboxes.size(), "mailbox", "mailboxes") + ", " +
             count(messages, "message", "messages") + (full ? ", every byte compared" : "") + ": " +
             (r.equal ? "equal\n" : count(different, "mailbox differs\n", "mailboxes differ\n"));
  out.text += lines;
  if (!r.subscriptions_equal) out.text += "  the subscriptions differ\n";
  for (const std::string& n : r.not_preservable) out.text += "  cannot be preserved: " + n + "\n";
  return out;
}

VerbResult render(const migrate::CutoverReport& r) {
  VerbResult out;
  out.exit = r.committed ? Exit::done : Exit::no;
  out.json["user"] = r.user;
  out.json["committed"] = r.committed;
  out.json["refused"] = json_list(r.refused);
  out.json["not_known"] = json_list(r.not_known);
  out.json["freeze_ms"] = r.freeze_ms;
  out.json["epoch"] = r.epoch;
  if (r.committed) {
    out.text = r.user + ": moved; the local store is the authority (frozen for " + std::to_string(r.freeze_ms) +
               " ms, epoch " + std::to_string(r.epoch) + ")\n";
  } else {
    out.text = r.user + ": not moved; the source is still the authority\n";
    for (const std::string& why : r.refused) out.text += "  " + why + "\n";
  }
  for (const std::string& what : r.not_known) out.text += "  " + what + "\n";
  return out;
}

VerbResult render(const migrate::RollbackReport& r) {
  VerbResult out;
  out.exit = r.done ? Exit::done : Exit::no;
  out.json["user"] = r.user;
  out.json["done"] = r.done;
  out.json["cannot"] = json_list(r.cannot);
  out.text = r.user + (r.done ? ": the source is the authority again\n" : ": not rolled back; this would be lost:\n");
  for (const std::string& why : r.cannot) out.text += "  " + why + "\n";
  return out;
}

VerbResult render(const migrate::ProbeReport& r) {
  VerbResult out;
  out.json["upstream"] = r.upstream;
  out.json["banner"] = r.banner;
  json::object id;
  for (const auto& [key, value] : r.id) id[key] = value;
  out.json["id"] = std::move(id);
  out.json["capabilities"] = json_list(r.capabilities);
  json::object space;
  space["prefix"] = r.prefix;
  space["separator"] = r.separator == 0 ? json::value(nullptr) : json::value(std::string(1, r.separator));
  space["other"] = json_list(r.other_namespaces);
  space["shared"] = json_list(r.shared_namespaces);
  out.json["namespace"] = std::move(space);
  out.json["sasl"] = json_list(r.sasl);
  out.json["tls"] = r.tls;
  out.json["condstore"] = r.condstore;
  out.json["qresync"] = r.qresync;
  out.json["uidplus"] = r.uidplus;
  out.json["special_use"] = r.special_use;
  out.json["list_status"] = r.list_status;
  out.json["move"] = r.move;
  out.json["uidvalidity_persists"] = optional_flag(r.uid_validity_persists);
  out.json["examine_uidvalidity_persists"] = optional_flag(r.examine_uid_validity_persists);
  out.json["is_the_user"] = optional_flag(r.is_the_user);
  out.json["identity_evidence"] = r.identity_evidence;
  out.json["rules"] = json_list(r.rules);
  out.json["not_preservable"] = json_list(r.not_preservable);

  out.text = r.upstream + ": " + wire::base::escape(r.banner) + "\n";
  for (const auto& [key, value] : r.id)
    out.text += "  id " + wire::base::escape(key) + ": " + wire::base::escape(value) + "\n";
  out.text += "  capabilities: " + wire::base::escape(joined(r.capabilities, " "), 4000) + "\n";
  out.text += "  namespace: prefix \"" + wire::base::escape(r.prefix) + "\", separator " +
              (r.separator == 0 ? "none" : wire::base::escape(std::string_view(&r.separator, 1))) + "\n";
  out.text += std::string("  TLS ") + yes_no(r.tls) + ", CONDSTORE " + yes_no(r.condstore) + ", QRESYNC " +
              yes_no(r.qresync) + ", UIDPLUS " + yes_no(r.uidplus) + ", SPECIAL-USE " + yes_no(r.special_use) +
              ", LIST-STATUS " + yes_no(r.list_status) + ", MOVE " + yes_no(r.move) + "\n";
  out.text += std::string("  UIDVALIDITY persists: ") + yes_no(r.uid_validity_persists) +
              "; between two EXAMINEs: " + yes_no(r.examine_uid_validity_persists) +
              "; the session is the user: " + yes_no(r.is_the_user) +
              (r.identity_evidence.empty() ? "" : " (" + wire::base::escape(r.identity_evidence) + ")") + "\n";
  if (!r.rules.empty()) out.text += "  quirk rules: " + joined(r.rules, ", ") + "\n";
  for (const std::string& n : r.not_preservable) out.text += "  cannot be preserved: " + n + "\n";
  return out;
}

}  // namespace gateway::admin
