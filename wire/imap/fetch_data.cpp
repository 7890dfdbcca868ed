#include "wire/imap/fetch_data.h"

#include "wire/base/flags.h"
#include "wire/imap/date.h"

namespace wire::imap {

using base::iequals;

namespace {

constexpr size_t max_items = 1000;

// The name of an item: up to its section or its value.
bool item_name(Cursor& c, std::string_view& out) {
  std::string_view rest = c.rest();
  size_t end = 0;
  while (end < rest.size() && rest[end] != '[' && chars::is(rest[end], chars::atom)) ++end;
  if (end == 0) return c.malformed("FETCH item expected");
  out = rest.substr(0, end);
  return c.expect_word(out);
}

bool object_id(Cursor& c, std::string_view& out) {
  if (c.accept_atom("NIL")) {
    out = {};
    return true;
  }
  // Cyrus writes "(NIL)" where RFC 8474 has "NIL".
  if (!c.expect('(') || !c.atom(out) || !c.expect(')')) return false;
  if (iequals(out, "NIL")) out = {};
  return true;
}

bool section_value(Cursor& c, FetchData& out, FetchSection::Form form) {
  FetchSection& s = out.sections.emplace_back();
  s.form = form;
  if (form == FetchSection::Form::body) {
    if (!parse(c, s.section)) return false;
    if (c.accept('<') && !(c.number(s.origin.emplace()) && c.expect('>'))) return false;
  }
  return c.sp() && c.string_ref(s.value);
}

// Strangers may have a section as well: BINARY[1]<5>, BINARY.SIZE[1].
bool skip_item(Cursor& c) {
  Section section;
  if (c.peek() == '[' && !parse(c, section)) return false;
  uint32_t origin = 0;
  if (c.accept('<') && !(c.number(origin) && c.expect('>'))) return false;
  return c.sp() && c.skip_value();
}

bool save_date(Cursor& c, FetchData& out) {
  if (c.accept_atom("NIL")) {
    out.save_date_nil = true;
    return true;
  }
  return parse(c, out.save_date.emplace());
}

bool item(Cursor& c, FetchData& out) {
  std::string_view name;
  if (!item_name(c, name)) return false;
  if (c.peek() == '[') {
    if (iequals(name, "BODY")) return section_value(c, out, FetchSection::Form::body);
    return skip_item(c);
  }
  if (iequals(name, "UID")) return c.sp() && c.nz_number(out.uid.emplace().value);
  if (iequals(name, "FLAGS")) return c.sp() && parse(c, out.flags.emplace());
  if (iequals(name, "MODSEQ")) {
    return c.sp() && c.expect('(') && c.number(out.modseq.emplace()) && c.expect(')');
  }
  if (iequals(name, "INTERNALDATE")) return c.sp() && parse(c, out.internal_date.emplace());
  if (iequals(name, "RFC822.SIZE")) return c.sp() && c.number64(out.size.emplace());
  if (iequals(name, "ENVELOPE")) return c.sp() && c.skip_value(out.envelope);
  if (iequals(name, "BODYSTRUCTURE")) return c.sp() && c.skip_value(out.body_structure);
  if (iequals(name, "BODY")) return c.sp() && c.skip_value(out.body);
  if (iequals(name, "RFC822")) return section_value(c, out, FetchSection::Form::rfc822);
  if (iequals(name, "RFC822.HEADER")) return section_value(c, out, FetchSection::Form::rfc822_header);
  if (iequals(name, "RFC822.TEXT")) return section_value(c, out, FetchSection::Form::rfc822_text);
  if (iequals(name, "EMAILID")) return c.sp() && object_id(c, out.email_id);
  if (iequals(name, "THREADID")) return c.sp() && object_id(c, out.thread_id);
  if (iequals(name, "SAVEDATE")) return c.sp() && save_date(c, out);
  return skip_item(c);
}

bool head(Cursor& c, FetchData& out) {
  return c.nz_number(out.seq.value) && c.sp() && c.expect_word("FETCH") && c.sp();
}

}  // namespace

bool parse(Cursor& c, FetchData& out) {
  return head(c, out) && c.list(max_items, [&] { return item(c, out); });
}

std::optional<FetchSection> fetch_literal_owner(std::string_view text, std::span<const Literal> literals,
                                                FetchData& data, const Leniency& leniency) {
  Cursor c(Frame{text, literals}, leniency);
  if (!(c.expect('*') && c.sp() && head(c, data) && c.expect('('))) return std::nullopt;
  for (size_t n = 0; n < max_items; ++n) {
    size_t before = data.sections.size();
    if (!item(c, data)) return std::nullopt;
    if (c.at_end()) {
      if (data.sections.size() == before) return std::nullopt;
      FetchSection owner = std::move(data.sections.back());
      data.sections.pop_back();
      return owner;
    }
    if (!c.sp()) return std::nullopt;
  }
  return std::nullopt;
}

FetchWriter::FetchWriter(Writer& w, base::SeqNo seq) : w_(w) { w_.raw("* ").number(seq).raw(" FETCH ("); }

Writer& FetchWriter::item(std::string_view name) {
  if (!first_) w_.sp();
  first_ = false;
  return w_.raw(name);
}

void FetchWriter::uid(base::Uid uid) { item("UID ").number(uid); }
void FetchWriter::flags(const FlagList& flags) { write(item("FLAGS "), flags); }
void FetchWriter::modseq(base::ModSeq modseq) { item("MODSEQ (").number(modseq).raw(')'); }
void FetchWriter::internal_date(const base::InternalDate& date) { write(item("INTERNALDATE "), date); }
void FetchWriter::save_date(const std::optional<base::InternalDate>& date) {
  item("SAVEDATE ");
  if (date) {
    write(w_, *date);
  } else {
    w_.nil();
  }
}
void FetchWriter::size(uint64_t octets) { item("RFC822.SIZE ").number(octets); }
void FetchWriter::envelope(std::string_view text) { item("ENVELOPE ").raw(text); }
void FetchWriter::body_structure(std::string_view text) { item("BODYSTRUCTURE ").raw(text); }
void FetchWriter::body(std::string_view text) { item("BODY ").raw(text); }
void FetchWriter::email_id(std::string_view id) { item("EMAILID (").atom(id).raw(')'); }
void FetchWriter::thread_id(std::string_view id) {
  item("THREADID ");
  if (id.empty()) {
    w_.nil();
  } else {
    w_.raw('(').atom(id).raw(')');
  }
}

void FetchWriter::section_name(const FetchSection& section) {
  switch (section.form) {
    case FetchSection::Form::body:
      write(item("BODY"), section.section);
      if (section.origin) w_.raw('<').number(*section.origin).raw('>');
      break;
    case FetchSection::Form::rfc822:
      item("RFC822");
      break;
    case FetchSection::Form::rfc822_header:
      item("RFC822.HEADER");
      break;
    case FetchSection::Form::rfc822_text:
      item("RFC822.TEXT");
      break;
  }
  w_.sp();
}

// Always a literal: clients of all ages read those, and quoting a body would copy it byte by byte.
void FetchWriter::section(const FetchSection& section, std::string_view bytes) {
  section_header(section, bytes.size());
  w_.raw(bytes);
}
void FetchWriter::section_nil(const FetchSection& section) {
  section_name(section);
  w_.nil();
}
void FetchWriter::section_header(const FetchSection& section, uint64_t size) {
  section_name(section);
  w_.literal_header(size);
}
void FetchWriter::end() { w_.raw(")\r\n"); }

void write(Writer& w, const FetchData& data, std::span<const Literal> literals) {
  // FetchWriter makes whole lines; here the line's frame is the caller's.
  std::string line;
  Writer inner(line);
  FetchWriter out(inner, data.seq);
  auto slice = [&](const RawSlice& s) {
    std::string text;
    Writer flat(text);
    if (!flat.slice(s, literals).ok()) inner.fail();
    return text;
  };
  if (data.uid) out.uid(*data.uid);
  if (data.flags) out.flags(*data.flags);
  if (data.modseq) out.modseq(*data.modseq);
  if (data.internal_date) out.internal_date(*data.internal_date);
  if (data.save_date || data.save_date_nil) out.save_date(data.save_date);
  if (data.size) out.size(*data.size);
  if (!data.envelope.empty()) out.envelope(slice(data.envelope));
  if (!data.body_structure.empty()) out.body_structure(slice(data.body_structure));
  if (!data.body.empty()) out.body(slice(data.body));
  if (!data.email_id.empty()) out.email_id(data.email_id);
  if (!data.thread_id.empty()) out.thread_id(data.thread_id);
  for (const FetchSection& s : data.sections) {
    if (s.value.kind == StringRef::Kind::nil) {
      out.section_nil(s);
    } else {
      if (s.value.kind == StringRef::Kind::streamed) inner.fail();
      out.section(s, s.value.bytes());
    }
  }
  if (!inner.ok()) w.fail();
  w.raw(std::string_view(line).substr(2)).raw(')');
}

}  // namespace wire::imap
