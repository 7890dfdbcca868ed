#include "wire/imap/list_data.h"

#include <algorithm>

#include "wire/base/flags.h"

namespace wire::imap {

namespace {

constexpr size_t max_attributes = 50;
constexpr size_t max_extended_items = 50;

// "\" atom. Kept with its backslash; servers send words of their own here.
bool attribute(Cursor& c, std::string& out) {
  Cursor::Mark begin = c.mark();
  std::string_view word;
  if (!c.expect('\\') || !c.atom(word)) return false;
  out = c.since(begin).text;
  return true;
}

// DQUOTE QUOTED-CHAR DQUOTE / nil
bool separator(Cursor& c, char& out) {
  if (c.accept_atom("NIL")) {
    out = '\0';
    return true;
  }
  std::string text;
  if (!c.string(text)) return false;
  if (text.empty()) {
    out = '\0';  // some servers mean NIL by ""
    return true;
  }
  if (text.size() != 1) return c.malformed("separator of more than one character");
  out = text[0];
  return true;
}

bool extended_item(Cursor& c, ListData& out) {
  std::string name;
  if (!c.astring(name) || !c.sp()) return false;
  if (base::iequals(name, "CHILDINFO")) {
    return c.list(max_attributes, [&] {
      out.child_info.emplace_back();
      return c.astring(out.child_info.back());
    });
  }
  if (base::iequals(name, "OLDNAME")) {
    MailboxName old;
    if (!c.expect('(') || !parse(c, old) || !c.expect(')')) return false;
    out.old_name = old.octets;
    return true;
  }
  return c.skip_value();
}

}  // namespace

bool ListData::has(std::string_view attribute) const {
  return std::any_of(attributes.begin(), attributes.end(),
                     [&](const std::string& a) { return base::iequals(a, attribute); });
}

bool parse(Cursor& c, ListData& out) {
  out = ListData();
  if (c.accept_word("LSUB")) {
    out.lsub = true;
  } else if (!c.expect_word("LIST")) {
    return false;
  }
  if (!c.sp() || !c.list(max_attributes, [&] {
        out.attributes.emplace_back();
        return attribute(c, out.attributes.back());
      })) {
    return false;
  }
  if (!c.sp() || !separator(c, out.separator) || !c.sp() || !parse(c, out.name)) return false;
  if (c.peek() != ' ') return c.ok();
  if (!c.sp()) return false;
  if (c.leniency().extra_space && c.at_end()) return true;
  return c.list(max_extended_items, [&] { return extended_item(c, out); });
}

void write(Writer& w, const ListData& data) {
  w.raw(data.lsub ? "LSUB (" : "LIST (");
  for (size_t i = 0; i < data.attributes.size(); ++i) {
    if (i > 0) w.sp();
    std::string_view name = data.attributes[i];
    if (!name.starts_with('\\')) w.fail();
    w.raw('\\').atom(name.substr(name.empty() ? 0 : 1));
  }
  w.raw(") ");
  if (data.separator == '\0') {
    w.nil();
  } else {
    w.string(std::string_view(&data.separator, 1));
  }
  write(w.sp(), data.name);
  if (data.child_info.empty() && data.old_name.empty()) return;
  w.raw(" (");
  if (!data.child_info.empty()) {
    // RFC 5258: these are always quoted.
    w.raw("\"CHILDINFO\" (");
    for (size_t i = 0; i < data.child_info.size(); ++i) {
      if (i > 0) w.sp();
      w.string(data.child_info[i]);
    }
    w.raw(')');
  }
  if (!data.old_name.empty()) {
    if (!data.child_info.empty()) w.sp();
    w.raw("\"OLDNAME\" (").astring(data.old_name).raw(')');
  }
  w.raw(')');
}

}  // namespace wire::imap
