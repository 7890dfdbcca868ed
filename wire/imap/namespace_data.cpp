#include "wire/imap/namespace_data.h"

namespace wire::imap {

namespace {

constexpr size_t max_entries = 100;

// "(" string SP (DQUOTE char DQUOTE / nil) *(SP string SP "(" ... ")") ")"
bool entry(Cursor& c, NamespaceEntry& out) {
  if (!(c.expect('(') && c.string(out.prefix) && c.sp())) return false;
  if (c.accept_atom("NIL")) {
    out.separator = '\0';
  } else {
    std::string text;
    if (!c.string(text)) return false;
    if (text.size() > 1) return c.malformed("separator of more than one character");
    out.separator = text.empty() ? '\0' : text[0];
  }
  for (size_t n = 0; c.peek() == ' '; ++n) {
    if (n == 2 * max_entries) return c.fail(base::Errc::limit, "too many namespace extensions");
    if (!c.sp() || !c.skip_value()) return false;
  }
  return c.expect(')');
}

// nil / "(" 1*entry ")", with nothing between the entries (some servers put a space).
bool entries(Cursor& c, std::vector<NamespaceEntry>& out) {
  out.clear();
  if (c.accept_atom("NIL")) return true;
  if (!c.expect('(')) return false;
  while (!c.accept(')')) {
    if (out.size() == max_entries) return c.fail(base::Errc::limit, "too many namespaces");
    if (!out.empty() && c.leniency().extra_space) c.accept(' ');
    out.emplace_back();
    if (!entry(c, out.back())) return false;
  }
  return c.ok();
}

void write_entries(Writer& w, const std::vector<NamespaceEntry>& list) {
  if (list.empty()) {
    w.nil();
    return;
  }
  w.raw('(');
  for (const NamespaceEntry& e : list) {
    w.raw('(').string(e.prefix).sp();
    if (e.separator == '\0') {
      w.nil();
    } else {
      w.string(std::string_view(&e.separator, 1));
    }
    w.raw(')');
  }
  w.raw(')');
}

}  // namespace

bool parse(Cursor& c, NamespaceData& out) {
  return c.expect_word("NAMESPACE") && c.sp() && entries(c, out.personal) && c.sp() && entries(c, out.other_users) &&
         c.sp() && entries(c, out.shared);
}

void write(Writer& w, const NamespaceData& data) {
  w.raw("NAMESPACE ");
  write_entries(w, data.personal);
  write_entries(w.sp(), data.other_users);
  write_entries(w.sp(), data.shared);
}

}  // namespace wire::imap
