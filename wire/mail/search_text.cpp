#include "wire/mail/search_text.h"

#include <algorithm>

#include "wire/base/flags.h"
#include "wire/mail/charset.h"
#include "wire/mail/encoded_word.h"
#include "wire/mail/fold.h"
#include "wire/mail/header.h"
#include "wire/mail/mime_fields.h"
#include "wire/mail/transfer.h"

namespace wire::mail {
namespace {

// All fields, decoded, one a line; file names in RFC 2231 are given in plain as well.
std::string header_text(std::string_view header) {
  std::string out;
  FieldReader reader(header);
  for (Field field; reader.next(field);) {
    out += field.name;
    out += ": ";
    out += decode_header_text(field.value);
    out += '\n';
  }
  MimeFields fields = find_mime_fields(header);
  auto add_decoded = [&](const Parameters& parameters, std::string_view name) {
    if (find_parameter(parameters, name)) return;  // already there as written
    if (auto value = decode_parameter(parameters, name)) out += *value + '\n';
  };
  if (fields.disposition) {
    if (auto disposition = parse_disposition(*fields.disposition)) add_decoded(disposition->parameters, "filename");
  }
  if (fields.type) {
    if (auto type = parse_content_type(*fields.type)) add_decoded(type->parameters, "name");
  }
  return out;
}

// How to read the text of a part; nullopt: there is nothing to search in it.
struct TextForm {
  TransferEncoding encoding = TransferEncoding::identity;
  std::string charset;
};
std::optional<TextForm> text_form(const MessageScan& scan, uint32_t index) {
  const Part& part = scan.parts[index];
  if (part.kind != PartKind::leaf || part.opaque) return std::nullopt;
  const MimeFields fields = find_mime_fields(scan.header(index));
  const auto type = fields.type ? parse_content_type(*fields.type) : std::nullopt;
  if (type && !type->is("text") && !type->is("message")) return std::nullopt;
  TextForm form;
  if (fields.transfer_encoding) form.encoding = transfer_encoding(*fields.transfer_encoding);
  if (form.encoding == TransferEncoding::unknown) return std::nullopt;
  if (type) form.charset = find_parameter(type->parameters, "charset").value_or("");
  return form;
}

void fold_part(std::string& out, std::string_view body, const TextForm& form, size_t limit) {
  std::string decoded;
  if (form.encoding == TransferEncoding::identity) {
    body = body.substr(0, limit);
  } else {
    decoded = decode_transfer(body, form.encoding, limit);
    body = decoded;
  }
  if (reads_as_ascii(body, form.charset)) return fold_to(out, body);
  fold_to(out, to_utf8(body, form.charset));
}

}  // namespace

std::string folded_field(std::string_view header, std::string_view name) {
  std::string out;
  FieldReader reader(header);
  for (Field field; reader.next(field);) {
    if (!base::iequals(field.name, name)) continue;
    if (!out.empty()) out += '\n';
    out += fold(decode_header_text(trim(field.value)));
  }
  return out;
}

bool field_contains(std::string_view header, std::string_view name, std::string_view needle) {
  FieldReader reader(header);
  for (Field field; reader.next(field);) {
    if (!base::iequals(field.name, name)) continue;
    if (contains(fold(decode_header_text(trim(field.value))), needle)) return true;
  }
  return false;
}

void for_each_text(const MessageScan& scan, bool with_header, const SearchLimits& limits,
                   const std::function<bool(std::string_view folded)>& visit) {
  std::string folded;
  for (uint32_t i = 0; i < scan.parts.size(); ++i) {
    if ((i > 0 || with_header) && !visit(fold(header_text(scan.header(i))))) return;
    const auto form = text_form(scan, i);
    if (!form) continue;
    folded.clear();
    fold_part(folded, scan.body(i), *form, limits.part_output);
    if (!visit(folded)) return;
  }
}

size_t text_octets(const MessageScan& scan) {
  size_t sum = 0;
  for (uint32_t i = 0; i < scan.parts.size(); ++i) {
    if (text_form(scan, i)) sum += scan.body(i).size();
  }
  return sum;
}

std::optional<std::string> folded_header_lines(std::string_view header) {
  std::string lines;
  FieldReader reader(header);
  for (Field field; reader.next(field);) {
    const std::string name = fold(field.name);
    if (!base::iequals(name, field.name)) return std::nullopt;
    const std::string value = fold(decode_header_text(trim(field.value)));
    // The space would be lost at the line's end, or be one with that after the colon.
    if (value.starts_with(' ') || value.ends_with(' ')) return std::nullopt;
    lines += name;
    lines += ':';
    if (!value.empty()) lines += ' ';
    lines += value;
    lines += '\n';
  }
  std::string text = lines;
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text != fold(header_text(header))) return std::nullopt;
  return lines;
}

bool line_field_contains(std::string_view lines, std::string_view name, std::string_view needle) {
  if (name.find(':') != std::string_view::npos) return false;  // no field has it, and a line may have one further on
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    if (line.size() <= name.size() || line[name.size()] != ':' || !base::iequals(line.substr(0, name.size()), name)) {
      continue;
    }
    std::string_view value = line.substr(name.size() + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (contains(value, needle)) return true;
  }
  return false;
}

bool body_contains(const MessageScan& scan, std::string_view needle, const SearchLimits& limits) {
  bool found = needle.empty();
  if (found) return true;
  for_each_text(scan, false, limits, [&](std::string_view text) { return !(found = contains(text, needle)); });
  return found;
}

bool text_contains(const MessageScan& scan, std::string_view needle, const SearchLimits& limits) {
  bool found = needle.empty();
  if (found) return true;
  for_each_text(scan, true, limits, [&](std::string_view text) { return !(found = contains(text, needle)); });
  return found;
}

}  // namespace wire::mail
