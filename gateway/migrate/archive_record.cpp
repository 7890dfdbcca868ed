#include "gateway/migrate/archive_record.h"

#include <algorithm>
#include <boost/json.hpp>

#include "wire/imap/cursor.h"
#include "wire/imap/date.h"

namespace gateway::migrate {

namespace json = boost::json;
using storage::Errc;
using storage::Failure;
using wire::base::Result;

namespace {

constexpr char digits[] = "0123456789abcdef";
constexpr int version = 1;

std::string hex(std::string_view bytes) {
  std::string out;
  for (const unsigned char c : bytes) out += {digits[c >> 4], digits[c & 15]};
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  std::string out;
  if (text.size() % 2 != 0) return std::nullopt;
  for (size_t i = 0; i < text.size(); i += 2) {
    const char* high = std::find(digits, digits + 16, text[i]);
    const char* low = std::find(digits, digits + 16, text[i + 1]);
    if (high == digits + 16 || low == digits + 16) return std::nullopt;
    out += static_cast<char>((high - digits) * 16 + (low - digits));
  }
  return out;
}

// Octets of the mail world in a text of JSON: as they are where they are plain ASCII, else {"hex":"..."}.
json::value octets(const std::string& bytes) {
  const bool plain = std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  if (plain) return json::value(bytes);
  return json::object{{"hex", hex(bytes)}};
}

// Reads fields; what is there in another shape than ours is an error, kept until asked for.
class Fields {
 public:
  explicit Fields(std::string_view text) {
    boost::system::error_code ec;
    json::parse_options options;
    options.max_depth = 8;
    value_ = json::parse(json::string_view(text.data(), text.size()), ec, {}, options);
    if (ec || !value_.is_object()) broken_ = "it is no JSON object";
  }
  explicit Fields(const json::object& object) : value_(object) {}

  std::string text(const char* name) {
    const json::value* v = find(name);
    if (!v) return {};
    if (auto out = octets_of(*v)) return *out;
    wrong(name);
    return {};
  }
  std::vector<std::string> texts(const char* name) {
    std::vector<std::string> out;
    const json::value* v = find(name);
    if (!v) return out;
    if (!v->is_array()) {
      wrong(name);
      return out;
    }
    for (const json::value& item : v->get_array()) {
      if (auto one = octets_of(item)) {
        out.push_back(std::move(*one));
      } else {
        wrong(name);
      }
    }
    return out;
  }
  uint64_t number(const char* name, uint64_t most = UINT64_MAX) {
    const json::value* v = find(name);
    if (!v) return 0;
    boost::system::error_code ec;
    const auto n = v->to_number<uint64_t>(ec);
    if (ec || n > most) {
      wrong(name);
      return 0;
    }
    return n;
  }
  bool flag(const char* name) {
    const json::value* v = find(name);
    if (v && !v->is_bool()) wrong(name);
    return v && v->is_bool() && v->get_bool();
  }
  bool has(const char* name) { return find(name) != nullptr; }
  const json::array* list(const char* name) {
    const json::value* v = find(name);
    return v && v->is_array() ? &v->get_array() : nullptr;
  }
  std::optional<storage::InternalDate> date(const char* name) {
    if (!has(name)) return std::nullopt;
    const std::string quoted = '"' + text(name) + '"';
    wire::imap::Cursor c(quoted);
    storage::InternalDate out;
    if (wire::imap::parse(c, out) && c.at_end()) return out;
    wrong(name);
    return std::nullopt;
  }
  void wrong(const char* name) {
    if (broken_.empty()) broken_ = std::string("\"") + name + "\" is not what an export writes";
  }
  bool good() const { return broken_.empty(); }
  Failure failure() const { return Failure(Errc::malformed, broken_); }

 private:
  const json::value* find(const char* name) const {
    return value_.is_object() ? value_.get_object().if_contains(name) : nullptr;
  }
  static std::optional<std::string> octets_of(const json::value& v) {
    if (v.is_string()) return std::string(v.get_string());
    const json::value* h = v.is_object() ? v.get_object().if_contains("hex") : nullptr;
    if (!h || !h->is_string()) return std::nullopt;
    return from_hex(std::string_view(h->get_string().data(), h->get_string().size()));
  }
  json::value value_;
  std::string broken_;
};

json::array list_of(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& t : texts) out.push_back(octets(t));
  return out;
}

struct Named {
  const char* name;
  uint8_t flag;
};
constexpr Named system_names[] = {{"\\Seen", wire::base::seen},
                                  {"\\Answered", wire::base::answered},
                                  {"\\Flagged", wire::base::flagged},
                                  {"\\Deleted", wire::base::deleted},
                                  {"\\Draft", wire::base::draft}};

std::string date_text(const storage::InternalDate& date) { return wire::imap::to_string(date); }

json::object object_of(const ArchivedMailbox& m) {
  json::object o;
  o["mailbox"] = octets(m.info.name);
  o["separator"] = m.info.separator == 0 ? std::string() : std::string(1, m.info.separator);
  o["attributes"] = m.info.attributes;
  o["special_use"] = list_of(m.info.special_use);
  o["uidvalidity"] = m.info.uid_validity.value;
  o["uidnext"] = m.info.uid_next.value;
  o["highestmodseq"] = m.info.highest_modseq.value;
  o["mailboxid"] = octets(m.info.mailbox_id);
  o["messages"] = m.messages;
  return o;
}

ArchivedMailbox mailbox_of(Fields& f) {
  ArchivedMailbox out;
  out.info.name = f.text("mailbox");
  const std::string separator = f.text("separator");
  out.info.separator = separator.empty() ? '\0' : separator.front();
  out.info.attributes = static_cast<uint32_t>(f.number("attributes", UINT32_MAX));
  out.info.special_use = f.texts("special_use");
  out.info.uid_validity = storage::UidValidity(static_cast<uint32_t>(f.number("uidvalidity", UINT32_MAX)));
  out.info.uid_next = storage::Uid(static_cast<uint32_t>(f.number("uidnext", UINT32_MAX)));
  out.info.highest_modseq = storage::ModSeq(f.number("highestmodseq", INT64_MAX));
  out.info.mailbox_id = f.text("mailboxid");
  out.messages = f.number("messages");
  if (out.info.name.empty()) f.wrong("mailbox");
  return out;
}

}  // namespace

const char* to_string(ArchiveFormat format) { return format == ArchiveFormat::maildir ? "maildir" : "mbox"; }

std::optional<ArchiveFormat> archive_format(std::string_view text) {
  if (text == "maildir") return ArchiveFormat::maildir;
  if (text == "mbox") return ArchiveFormat::mbox;
  return std::nullopt;
}

std::string to_line(const ArchivedMessage& m) {
  json::object o;
  o["uid"] = m.uid.value;
  o["modseq"] = m.modseq.value;
  json::array flags;
  for (const Named& n : system_names) {
    if ((m.flags.system & n.flag) != 0) flags.emplace_back(n.name);
  }
  o["flags"] = std::move(flags);
  o["keywords"] = list_of(m.flags.keywords);
  o["internaldate"] = date_text(m.info.date);
  o["size"] = m.info.size;
  if (m.info.body) {
    o["sha256"] = hex(std::string_view(reinterpret_cast<const char*>(m.info.body->data()), m.info.body->size()));
  }
  if (m.file.empty()) {
    o["offset"] = m.offset;
    o["length"] = m.length;
    if (m.added != 0) o["added"] = m.added;
  } else {
    o["file"] = octets(m.file);
  }
  o["line_ends"] = m.unix_lines ? "lf" : "as_is";
  if (m.info.save_date) o["savedate"] = date_text(*m.info.save_date);
  if (!m.info.email_id.empty()) o["emailid"] = octets(m.info.email_id);
  if (!m.info.thread_id.empty()) o["threadid"] = octets(m.info.thread_id);
  if (!m.info.uidl.empty()) o["uidl"] = octets(m.info.uidl);
  if (m.info.pop3_order) o["pop3_order"] = *m.info.pop3_order;
  return json::serialize(o) + "\n";
}

Result<ArchivedMessage> message_from_line(std::string_view line) {
  Fields f(line);
  ArchivedMessage out;
  out.uid = storage::Uid(static_cast<uint32_t>(f.number("uid", UINT32_MAX - 1)));
  out.modseq = storage::ModSeq(f.number("modseq", INT64_MAX));
  for (const std::string& name : f.texts("flags")) {
    for (const Named& n : system_names) {
      if (wire::base::iequals(name, n.name)) out.flags.system |= n.flag;
    }
  }
  for (const std::string& word : f.texts("keywords")) out.flags.add(word);
  if (auto date = f.date("internaldate")) out.info.date = *date;
  out.info.size = f.number("size");
  out.info.save_date = f.date("savedate");
  const std::string hash = f.text("sha256");
  if (!hash.empty()) {
    const auto bytes = from_hex(hash);
    storage::Sha256 name{};
    if (bytes && bytes->size() == name.size()) {
      std::copy(bytes->begin(), bytes->end(), name.begin());
      out.info.body = name;
    } else {
      f.wrong("sha256");
    }
  }
  out.file = f.text("file");
  out.offset = f.number("offset");
  out.length = f.number("length");
  out.added = f.number("added");
  out.unix_lines = f.text("line_ends") == "lf";
  out.info.email_id = f.text("emailid");
  out.info.thread_id = f.text("threadid");
  out.info.uidl = f.text("uidl");
  if (f.has("pop3_order")) out.info.pop3_order = static_cast<uint32_t>(f.number("pop3_order", UINT32_MAX));
  if (out.uid.value == 0) f.wrong("uid");
  if (!f.good()) return f.failure();
  return out;
}

std::string to_line(const ArchivedMailbox& m) { return json::serialize(object_of(m)) + "\n"; }

Result<ArchivedMailbox> mailbox_from_line(std::string_view line) {
  Fields f(line);
  ArchivedMailbox out = mailbox_of(f);
  if (!f.good()) return f.failure();
  return out;
}

std::string to_text(const Manifest& m) {
  json::object o;
  o["version"] = version;
  o["format"] = to_string(m.format);
  o["user"] = octets(m.user);
  o["prefix"] = octets(m.prefix);
  json::array boxes;
  for (const Manifest::Place& p : m.mailboxes) {
    json::object box = object_of(p.mailbox);
    box["path"] = octets(p.path);
    boxes.push_back(std::move(box));
  }
  o["mailboxes"] = std::move(boxes);
  o["subscriptions"] = list_of(m.subscriptions);
  return json::serialize(o) + "\n";
}

Result<Manifest> manifest_from_text(std::string_view text) {
  Fields f(text);
  Manifest out;
  if (f.good() && f.number("version") != version) {
    return Failure(Errc::unsupported, "the export is of another version than this program knows");
  }
  const auto format = archive_format(f.text("format"));
  if (!format) f.wrong("format");
  out.format = format.value_or(ArchiveFormat::maildir);
  out.user = f.text("user");
  out.prefix = f.text("prefix");
  out.subscriptions = f.texts("subscriptions");
  if (const json::array* boxes = f.list("mailboxes")) {
    for (const json::value& v : *boxes) {
      if (!v.is_object()) {
        f.wrong("mailboxes");
        break;
      }
      Fields one(v.get_object());
      Manifest::Place place;
      place.mailbox = mailbox_of(one);
      place.path = one.text("path");
      if (!one.good()) return one.failure();
      out.mailboxes.push_back(std::move(place));
    }
  } else {
    f.wrong("mailboxes");
  }
  if (!f.good()) return f.failure();
  return out;
}

}  // namespace gateway::migrate
