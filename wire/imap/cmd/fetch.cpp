#include "wire/imap/cmd/fetch.h"

#include "wire/base/flags.h"

namespace wire::imap::cmd {

using base::iequals;

namespace {

constexpr size_t max_items = 500;
constexpr size_t max_modifiers = 10;

constexpr struct {
  uint16_t item;
  std::string_view name;
} names[] = {{Fetch::uid_item, "UID"},
             {Fetch::flags, "FLAGS"},
             {Fetch::internal_date, "INTERNALDATE"},
             {Fetch::rfc822_size, "RFC822.SIZE"},
             {Fetch::envelope, "ENVELOPE"},
             {Fetch::body, "BODY"},
             {Fetch::body_structure, "BODYSTRUCTURE"},
             {Fetch::modseq, "MODSEQ"},
             {Fetch::save_date, "SAVEDATE"},
             {Fetch::email_id, "EMAILID"},
             {Fetch::thread_id, "THREADID"}};

constexpr uint16_t fast = Fetch::flags | Fetch::internal_date | Fetch::rfc822_size;
constexpr struct {
  std::string_view name;
  uint16_t items;
} macros[] = {{"ALL", fast | Fetch::envelope}, {"FAST", fast}, {"FULL", fast | Fetch::envelope | Fetch::body}};

constexpr struct {
  Fetch::Part::Form form;
  std::string_view name;
} forms[] = {{Fetch::Part::Form::rfc822, "RFC822"},
             {Fetch::Part::Form::rfc822_header, "RFC822.HEADER"},
             {Fetch::Part::Form::rfc822_text, "RFC822.TEXT"}};

// Up to a "[": that is an atom's character, but here a section begins.
bool item_name(Cursor& c, std::string_view& out) {
  std::string_view rest = c.rest();
  size_t end = 0;
  while (end < rest.size() && rest[end] != '[' && chars::is(rest[end], chars::atom)) ++end;
  if (end == 0) return c.malformed("FETCH item expected");
  out = rest.substr(0, end);
  return c.expect_word(out);
}

bool add_part(Cursor& c, Fetch& out, Fetch::Part part) {
  if (out.parts.size() == max_fetch_sections) return c.fail(base::Errc::limit, "too many sections");
  out.parts.push_back(std::move(part));
  return true;
}

bool item(Cursor& c, Fetch& out) {
  std::string_view name;
  if (!item_name(c, name)) return false;
  if (c.peek() == '[') {
    Fetch::Part part;
    part.peek = iequals(name, "BODY.PEEK");
    if (!part.peek && !iequals(name, "BODY")) return c.malformed("unknown FETCH item");
    return parse(c, part.section) && parse_partial(c, part.partial) && add_part(c, out, std::move(part));
  }
  for (const auto& [bit, word] : names) {
    if (iequals(name, word)) {
      out.items |= bit;
      return true;
    }
  }
  for (const auto& [form, word] : forms) {
    if (!iequals(name, word)) continue;
    Fetch::Part part;
    part.form = form;
    return add_part(c, out, std::move(part));
  }
  return c.malformed("unknown FETCH item");
}

bool items(Cursor& c, Fetch& out) {
  for (const auto& [name, bits] : macros) {
    if (c.accept_atom(name)) {
      out.items = bits;
      return true;
    }
  }
  if (c.peek() != '(') return item(c, out);
  if (!c.list(max_items, [&] { return item(c, out); })) return false;
  return out.items != 0 || !out.parts.empty() || c.malformed("FETCH item expected");
}

bool modifier(Cursor& c, Fetch& out) {
  std::string_view word;
  if (!c.atom(word)) return false;
  if (iequals(word, "CHANGEDSINCE")) return c.sp() && c.number(out.changed_since.emplace());
  if (iequals(word, "VANISHED")) return out.vanished = true;
  return c.malformed("unknown FETCH modifier");
}

}  // namespace

bool parse(Cursor& c, Fetch& out) {
  out = Fetch{.uid = out.uid};
  if (!(c.sp() && parse(c, out.set) && c.sp() && items(c, out))) return false;
  if (c.peek() != ' ') return c.ok();
  if (!c.sp()) return false;
  if (c.leniency().extra_space && c.at_end()) return true;
  if (!c.list(max_modifiers, [&] { return modifier(c, out); })) return false;
  // RFC 7162 3.2.6: VANISHED is for UID FETCH, and only with CHANGEDSINCE.
  if (out.vanished && (!out.uid || !out.changed_since)) return c.malformed("VANISHED needs UID and CHANGEDSINCE");
  return true;
}

void write(Writer& w, const Fetch& c) {
  write(w.raw(c.uid ? "UID FETCH " : "FETCH "), c.set);
  if (c.items == 0 && c.parts.empty()) w.fail();
  char before = '(';
  w.sp();
  auto next = [&]() -> Writer& {
    w.raw(before);
    before = ' ';
    return w;
  };
  for (const auto& [bit, name] : names) {
    if (c.items & bit) next().raw(name);
  }
  for (const Fetch::Part& part : c.parts) {
    if (part.form == Fetch::Part::Form::body) {
      write(next().raw(part.peek ? "BODY.PEEK" : "BODY"), part.section);
      write_partial(w, part.partial);
      continue;
    }
    for (const auto& [form, name] : forms) {
      if (form == part.form) next().raw(name);
    }
  }
  w.raw(')');
  if (c.changed_since) {
    w.raw(" (CHANGEDSINCE ").number(*c.changed_since).raw(c.vanished ? " VANISHED)" : ")");
  }
}

}  // namespace wire::imap::cmd
