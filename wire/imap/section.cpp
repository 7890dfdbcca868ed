#include "wire/imap/section.h"

#include <array>
#include <string_view>

namespace wire::imap {

namespace {

// Longer words first: HEADER begins all of them.
constexpr struct {
  Section::Kind kind;
  std::string_view word;
} kinds[] = {{Section::Kind::header_fields_not, "HEADER.FIELDS.NOT"},
             {Section::Kind::header_fields, "HEADER.FIELDS"},
             {Section::Kind::header, "HEADER"},
             {Section::Kind::mime, "MIME"},
             {Section::Kind::text, "TEXT"}};

bool fields(Cursor& c, std::vector<std::string>& out) {
  if (!c.sp() || !c.list(max_section_fields, [&] {
        out.emplace_back();
        return c.astring(out.back());
      })) {
    return false;
  }
  return !out.empty() || c.malformed("header field name expected");
}

}  // namespace

// section = "[" [section-msgtext / (nz-number *("." nz-number) ["." (section-msgtext / "MIME")])] "]"
bool parse(Cursor& c, Section& out) {
  out = Section();
  if (!c.expect('[')) return false;
  if (c.accept(']')) return true;
  bool named = true;
  while (chars::is(c.peek(), chars::digit)) {
    uint32_t n = 0;
    if (!c.nz_number(n)) return false;
    if (out.part.size() == max_section_parts) return c.fail(base::Errc::limit, "section too deep");
    out.part.push_back(n);
    named = c.accept('.');
    if (!named) break;
  }
  if (named) {
    bool found = false;
    for (const auto& [kind, word] : kinds) {
      if (!c.accept_word(word)) continue;
      out.kind = kind;
      found = true;
      break;
    }
    if (!found) return c.malformed("section expected");
    if (out.kind == Section::Kind::mime && out.part.empty()) return c.malformed("MIME needs a part number");
    if (out.kind == Section::Kind::header_fields || out.kind == Section::Kind::header_fields_not) {
      if (!fields(c, out.fields)) return false;
    }
  }
  return c.expect(']');
}

void write(Writer& w, const Section& section) {
  w.raw('[');
  for (size_t i = 0; i < section.part.size(); ++i) {
    if (i > 0) w.raw('.');
    w.number(section.part[i]);
  }
  for (const auto& [kind, word] : kinds) {
    if (kind != section.kind) continue;
    if (!section.part.empty()) w.raw('.');
    w.raw(word);
  }
  if (section.kind == Section::Kind::header_fields || section.kind == Section::Kind::header_fields_not) {
    w.raw(" (");
    for (size_t i = 0; i < section.fields.size(); ++i) {
      if (i > 0) w.sp();
      w.astring(section.fields[i]);
    }
    w.raw(')');
  }
  w.raw(']');
}

bool parse_partial(Cursor& c, std::optional<Partial>& out) {
  out.reset();
  if (!c.accept('<')) return c.ok();
  Partial partial;
  if (!(c.number(partial.offset) && c.expect('.') && c.nz_number(partial.length) && c.expect('>'))) return false;
  out = partial;
  return true;
}

void write_partial(Writer& w, const std::optional<Partial>& partial) {
  if (partial) w.raw('<').number(partial->offset).raw('.').number(partial->length).raw('>');
}

}  // namespace wire::imap
