// Prints what wire/mail makes of messages, for structure_diff.py, which compares it with real servers.
// Input on stdin: "<octets> <section> <section> ...\n<message>", repeated. Output for each message one line, in the
// form of a FETCH response, so that one parser reads both sides: "* 1 FETCH (ENVELOPE ... BODYSTRUCTURE ... BODY[1]
// ...)".
#include <charconv>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>

#include "wire/mail/body_structure.h"
#include "wire/mail/envelope.h"
#include "wire/mail/imap_text.h"
#include "wire/mail/scan.h"
#include "wire/mail/section.h"

namespace {

namespace mail = wire::mail;

// "1.2.MIME", "HEADER", "HEADER.FIELDS:from,to".
mail::SectionSpec parse_section(std::string_view text) {
  mail::SectionSpec spec;
  while (!text.empty()) {
    uint32_t n = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc()) break;
    spec.path.push_back(n);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (text.starts_with('.')) text.remove_prefix(1);
  }
  std::string_view name = text.substr(0, text.find(':'));
  if (name == "HEADER") spec.kind = mail::SectionKind::header;
  if (name == "TEXT") spec.kind = mail::SectionKind::text;
  if (name == "MIME") spec.kind = mail::SectionKind::mime;
  if (name == "HEADER.FIELDS") spec.kind = mail::SectionKind::header_fields;
  if (name == "HEADER.FIELDS.NOT") spec.kind = mail::SectionKind::header_fields_not;
  if (name.size() < text.size()) {
    std::istringstream fields{std::string(text.substr(name.size() + 1))};
    for (std::string field; std::getline(fields, field, ',');) spec.fields.push_back(field);
  }
  return spec;
}

std::string describe(std::string_view message, std::istringstream& sections) {
  mail::MessageScan scan = mail::scan(message);
  std::string out = "* 1 FETCH (ENVELOPE ";
  mail::write_envelope(scan.header(0), out);
  out += " BODYSTRUCTURE ";
  mail::write_body_structure(scan, out, true);
  out += " BODY ";
  mail::write_body_structure(scan, out, false);
  std::string store;
  for (std::string name; sections >> name;) {
    out += " BODY[" + name + "] ";
    auto bytes = mail::section_bytes(scan, parse_section(name), store);
    if (bytes) {
      out += "{" + std::to_string(bytes->size()) + "}\r\n";
      out += *bytes;
    } else {
      out += "NIL";
    }
  }
  return out + ")\r\n";
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    size_t size = 0;
    words >> size;
    std::string message(size, '\0');
    if (!std::cin.read(message.data(), static_cast<std::streamsize>(size))) return 1;
    std::cout << describe(message, words) << std::flush;
  }
  return 0;
}
