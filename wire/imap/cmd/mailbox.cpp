#include "wire/imap/cmd/mailbox.h"

#include "wire/base/flags.h"

namespace wire::imap::cmd {

namespace {

constexpr size_t max_uses = 20;

void write_named(Writer& w, std::string_view command, const MailboxName& name) { write(w.raw(command).sp(), name); }

}  // namespace

// SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]; other parameters are refused.
bool parse(Cursor& c, Create& out) {
  out = Create();
  if (!c.sp() || !parse(c, out.mailbox)) return false;
  if (c.peek() != ' ') return c.ok();
  if (!c.sp()) return false;
  if (c.leniency().extra_space && c.at_end()) return true;
  return c.expect('(') && c.expect_word("USE") && c.sp() && c.list(max_uses, [&] {
    Cursor::Mark begin = c.mark();
    std::string_view word;
    if (!c.expect('\\') || !c.atom(word)) return false;
    out.use.emplace_back(c.since(begin).text);
    return true;
  }) && c.expect(')');
}

void write(Writer& w, const Create& c) {
  write_named(w, "CREATE", c.mailbox);
  if (c.use.empty()) return;
  w.raw(" (USE ");
  for (size_t i = 0; i < c.use.size(); ++i) {
    std::string_view use = c.use[i];
    if (!use.starts_with('\\')) w.fail();
    w.raw(i == 0 ? '(' : ' ').raw('\\').atom(use.substr(use.empty() ? 0 : 1));
  }
  w.raw("))");
}

bool parse(Cursor& c, Delete& out) { return c.sp() && parse(c, out.mailbox); }
void write(Writer& w, const Delete& c) { write_named(w, "DELETE", c.mailbox); }

bool parse(Cursor& c, Rename& out) { return c.sp() && parse(c, out.from) && c.sp() && parse(c, out.to); }
void write(Writer& w, const Rename& c) {
  write_named(w, "RENAME", c.from);
  write(w.sp(), c.to);
}

bool parse(Cursor& c, Subscribe& out) { return c.sp() && parse(c, out.mailbox); }
void write(Writer& w, const Subscribe& c) { write_named(w, "SUBSCRIBE", c.mailbox); }

bool parse(Cursor& c, Unsubscribe& out) { return c.sp() && parse(c, out.mailbox); }
void write(Writer& w, const Unsubscribe& c) { write_named(w, "UNSUBSCRIBE", c.mailbox); }

bool parse(Cursor& c, Status& out) { return c.sp() && parse(c, out.mailbox) && c.sp() && parse(c, out.items); }
void write(Writer& w, const Status& c) {
  write_named(w, "STATUS", c.mailbox);
  write(w.sp(), c.items);
}

}  // namespace wire::imap::cmd
