#include "wire/imap/id.h"

#include "wire/base/flags.h"

namespace wire::imap {

namespace {

// RFC 2971 3.3 says 30 pairs, 30 octets a name and 1024 a value; more are seen, so the bounds are only against abuse.
constexpr size_t max_fields = 100;
constexpr size_t max_text = 4096;

}  // namespace

const std::string* IdParams::find(std::string_view name) const {
  for (const Field& f : fields) {
    if (base::iequals(f.name, name)) return f.value ? &*f.value : nullptr;
  }
  return nullptr;
}

void IdParams::set(std::string_view name, std::string_view value) {
  for (Field& f : fields) {
    if (base::iequals(f.name, name)) {
      f.value = std::string(value);
      return;
    }
  }
  fields.push_back({std::string(name), std::string(value)});
}

// nil / "(" [string SP nstring *(SP string SP nstring)] ")"
bool parse(Cursor& c, IdParams& out) {
  out.fields.clear();
  if (c.accept_atom("NIL")) return true;
  return c.list(max_fields, [&] {
    IdParams::Field& f = out.fields.emplace_back();
    if (!(c.string(f.name) && c.sp() && c.nstring(f.value))) return false;
    if (f.name.size() > max_text || (f.value && f.value->size() > max_text)) {
      return c.fail(base::Errc::limit, "ID field too long");
    }
    return true;
  });
}

void write(Writer& w, const IdParams& params) {
  if (params.fields.empty()) {
    w.nil();
    return;
  }
  char before = '(';
  for (const IdParams::Field& f : params.fields) {
    w.raw(before).string(f.name).sp().nstring(f.value);
    before = ' ';
  }
  w.raw(')');
}

}  // namespace wire::imap
