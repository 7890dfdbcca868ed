#include "gateway/derived/header_fields.h"

#include <algorithm>
#include <array>
#include <vector>

#include "storage/coding.h"
#include "wire/base/flags.h"
#include "wire/mail/encoded_word.h"
#include "wire/mail/envelope_view.h"
#include "wire/mail/fold.h"
#include "wire/mail/header.h"

namespace gateway::derived {
namespace {

using wire::mail::Address;
using wire::mail::EnvelopeView;
using Item = EnvelopeView::Item;

// In the order of the envelope's items.
constexpr std::array<std::string_view, EnvelopeView::item_count> field_names = {
    "Date", "Subject", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID"};

// How a field is had. On disk: a byte each, `first_form` and up: once in the header, and as the envelope's item is
// written in that form.
enum Had : uint8_t { absent = 0, kept = 1, first_form = 2 };

// The ways in which programs write addresses, each a set of these. The usual one is 0.
enum AddressForm : uint8_t { always_quoted = 1, always_in_angles = 2, no_space_after_comma = 4, address_forms = 8 };

bool needs_quotes(std::string_view name) { return name.find_first_of("()<>[]:;@\\,.\"") != std::string_view::npos; }

void write_name(const std::string& name, uint8_t form, std::string& out) {
  if (!(form & always_quoted) && !needs_quotes(name)) {
    out += name;
    return;
  }
  out += '"';
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void write_address(const Address& a, uint8_t form, std::string& out) {
  const bool angles = a.name || a.route || (form & always_in_angles);
  if (a.name) {
    write_name(*a.name, form, out);
    out += ' ';
  }
  if (angles) out += '<';
  if (a.route) out += *a.route + ':';
  out += a.mailbox.value_or("");
  out += '@';
  out += a.host.value_or("");
  if (angles) out += '>';
}

std::string written(const std::vector<Address>& list, uint8_t form) {
  std::string out;
  bool first = true;
  for (const Address& a : list) {
    if (!a.mailbox) {  // the end of a group
      out += ';';
      first = false;
      continue;
    }
    if (!first) out += form & no_space_after_comma ? "," : ", ";
    first = !a.host;
    if (a.host) {
      write_address(a, form, out);
    } else {
      out += *a.mailbox + ':';
    }
  }
  return out;
}

std::string folded(std::string_view value) {
  return wire::mail::fold(wire::mail::decode_header_text(wire::mail::trim(value)));
}

// nullopt: the envelope has none.
std::optional<std::string> in_envelope(const EnvelopeView& envelope, size_t field, uint8_t form) {
  const auto item = static_cast<Item>(field);
  if (EnvelopeView::is_address_list(item)) return folded(written(envelope.addresses(item), form));
  const auto text = envelope.text(item);
  return text ? std::optional(folded(*text)) : std::nullopt;
}

uint8_t how_had(const std::vector<std::string>& values, const std::optional<EnvelopeView>& envelope, size_t field) {
  if (values.empty()) return absent;
  constexpr size_t long_value = 16 << 10;  // of a hostile sender: it is not worth trying all forms
  if (values.size() > 1 || !envelope || values.front().size() > long_value) return kept;
  const uint8_t forms = EnvelopeView::is_address_list(static_cast<Item>(field)) ? address_forms : 1;
  for (uint8_t form = 0; form < forms; ++form) {
    if (in_envelope(*envelope, field, form) == values.front()) return static_cast<uint8_t>(first_form + form);
  }
  return kept;
}

}  // namespace

void write_header_fields(std::string_view header, std::string_view envelope, std::string& out) {
  std::array<std::vector<std::string>, field_names.size()> values;
  wire::mail::FieldReader reader(header);
  for (wire::mail::Field field; reader.next(field);) {
    for (size_t i = 0; i < field_names.size(); ++i) {
      if (wire::base::iequals(field.name, field_names[i])) values[i].push_back(folded(field.value));
    }
  }
  const auto view = EnvelopeView::read(envelope);
  storage::Buffer texts;
  for (size_t i = 0; i < field_names.size(); ++i) {
    const uint8_t had = how_had(values[i], view, i);
    out += static_cast<char>(had);
    if (had != kept) continue;
    texts.put_varint(values[i].size());
    for (const std::string& v : values[i]) texts.put_text(v);
  }
  out += wire::base::as_text(texts.bytes());
}

std::optional<bool> header_field_contains(std::string_view blob, std::string_view envelope, std::string_view name,
                                          std::string_view needle_folded) {
  size_t field = 0;
  while (field < field_names.size() && !wire::base::iequals(name, field_names[field])) ++field;
  if (field == field_names.size() || blob.size() < field_names.size()) return std::nullopt;
  const auto had = [&blob](size_t i) { return static_cast<uint8_t>(blob[i]); };
  if (had(field) == absent) return false;
  if (had(field) >= first_form) {
    const auto view = EnvelopeView::read(envelope);
    if (!view) return std::nullopt;
    const auto value = in_envelope(*view, field, static_cast<uint8_t>(had(field) - first_form));
    return value && wire::mail::contains(*value, needle_folded);
  }
  storage::Reader in(wire::base::as_bytes(blob.substr(field_names.size())));
  bool found = false;
  for (size_t i = 0; i <= field; ++i) {
    if (had(i) != kept) continue;
    for (size_t n = in.count(1); n > 0; --n) {
      const std::string_view value = in.text();
      found = found || (i == field && wire::mail::contains(value, needle_folded));
    }
  }
  return in.ok() ? std::optional(found) : std::nullopt;
}

}  // namespace gateway::derived
