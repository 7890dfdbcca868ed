// Sections of a message (RFC 3501 6.4.5) as bytes: BODY[], BODY[1.2], BODY[1.2.MIME], BODY[HEADER.FIELDS (...)].
// Any thread. "No such part" is nullopt, which IMAP shows as NIL.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/mail/part.h"

namespace wire::mail {

enum class SectionKind : uint8_t { whole, header, text, mime, header_fields, header_fields_not };

struct SectionSpec {
  std::vector<uint32_t> path;  // part numbers from 1; empty: the message itself
  SectionKind kind = SectionKind::whole;
  std::vector<std::string> fields;  // names for header_fields and header_fields_not
};

// The range of a section. For header_fields(_not): the header that they are taken from.
std::optional<Range> find_section(const MessageScan& scan, std::span<const uint32_t> path, SectionKind kind);

// The part of BODYSTRUCTURE that a path names; no_part if there is none.
uint32_t find_part(const MessageScan& scan, std::span<const uint32_t> path);

// The selected fields in their order, unchanged, then the empty line.
std::string select_fields(std::string_view header, std::span<const std::string> names, bool listed);

// The bytes of any section: a view into scan.bytes or, where it has to be assembled, into `store`.
std::optional<std::string_view> section_bytes(const MessageScan& scan, const SectionSpec& spec, std::string& store);

}  // namespace wire::mail
