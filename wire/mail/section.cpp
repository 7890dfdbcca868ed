#include "wire/mail/section.h"

#include <algorithm>

#include "wire/base/flags.h"
#include "wire/mail/header.h"

namespace wire::mail {
namespace {

// Child number n (from 1) of a multipart.
uint32_t nth_child(const MessageScan& scan, uint32_t part, uint32_t n) {
  uint32_t child = scan.parts[part].first_child;
  while (child != no_part && --n > 0) child = scan.parts[child].next;
  return child;
}

// A multipart without parts is shown with one empty part: its range, at the end of the body.
bool is_empty_part(const MessageScan& scan, std::span<const uint32_t> path) {
  if (path.empty() || path.back() != 1) return false;
  auto above = path.first(path.size() - 1);
  uint32_t part = 0;
  if (!above.empty()) {
    part = find_part(scan, above);
    if (part == no_part) return false;
    if (scan.parts[part].kind == PartKind::message) part = scan.parts[part].first_child;
  }
  return scan.parts[part].kind == PartKind::multipart && scan.parts[part].first_child == no_part;
}

}  // namespace

uint32_t find_part(const MessageScan& scan, std::span<const uint32_t> path) {
  uint32_t at = 0;
  bool inside_message = true;  // the next number counts within a message, not within a part
  for (uint32_t n : path) {
    if (n == 0) return no_part;
    if (!inside_message) {
      if (scan.parts[at].kind == PartKind::message) {
        at = scan.parts[at].first_child;
        inside_message = true;
      } else if (scan.parts[at].kind != PartKind::multipart) {
        return no_part;
      }
    }
    if (scan.parts[at].kind == PartKind::multipart) {
      at = nth_child(scan, at, n);
      if (at == no_part) return no_part;
    } else if (n != 1) {
      return no_part;
    }
    inside_message = false;
  }
  return at;
}

std::optional<Range> find_section(const MessageScan& scan, std::span<const uint32_t> path, SectionKind kind) {
  uint32_t index = find_part(scan, path);
  if (index == no_part) {
    bool shown = (kind == SectionKind::whole || kind == SectionKind::mime) && is_empty_part(scan, path);
    if (!shown) return std::nullopt;
    auto above = find_section(scan, path.first(path.size() - 1), SectionKind::text);
    if (!above) above = find_section(scan, path.first(path.size() - 1), SectionKind::whole);
    return Range{above->end, above->end};
  }
  const Part& part = scan.parts[index];
  if (path.empty()) {
    switch (kind) {
      case SectionKind::whole:
        return Range{0, scan.bytes.size()};
      case SectionKind::text:
        return part.body;
      case SectionKind::mime:
        return std::nullopt;
      default:
        return part.header;
    }
  }
  if (kind == SectionKind::whole) return part.body;
  if (kind == SectionKind::mime) return part.header;
  if (part.kind != PartKind::message) return std::nullopt;
  const Part& embedded = scan.parts[part.first_child];
  return kind == SectionKind::text ? embedded.body : embedded.header;
}

std::string select_fields(std::string_view header, std::span<const std::string> names, bool listed) {
  std::string out;
  FieldReader reader(header);
  for (Field field; reader.next(field);) {
    bool found = std::any_of(names.begin(), names.end(),
                             [&](const std::string& name) { return base::iequals(name, field.name); });
    if (found != listed) continue;
    out += field.whole;
    if (!field.whole.ends_with('\n')) out += "\r\n";
  }
  out += "\r\n";
  return out;
}

std::optional<std::string_view> section_bytes(const MessageScan& scan, const SectionSpec& spec, std::string& store) {
  auto range = find_section(scan, spec.path, spec.kind);
  if (!range) return std::nullopt;
  std::string_view bytes = range->of(scan.bytes);
  if (spec.kind != SectionKind::header_fields && spec.kind != SectionKind::header_fields_not) return bytes;
  store = select_fields(bytes, spec.fields, spec.kind == SectionKind::header_fields);
  return std::string_view(store);
}

}  // namespace wire::mail
