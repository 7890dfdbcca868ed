// BODY[...] section specifications (RFC 3501 section, partial). Errors: Errc::malformed, Errc::limit. Values; any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "wire/imap/cursor.h"
#include "wire/imap/writer.h"

namespace wire::imap {

inline constexpr size_t max_section_parts = 100;    // "1.2.3..." deeper than any parser goes
inline constexpr size_t max_section_fields = 1000;  // HEADER.FIELDS

struct Section {
  enum class Kind : uint8_t { all, header, header_fields, header_fields_not, mime, text };
  std::vector<uint32_t> part;  // empty: the message itself
  Kind kind = Kind::all;
  std::vector<std::string> fields;  // as written
  bool operator==(const Section&) const = default;
};

// <offset.length> of a command.
struct Partial {
  uint32_t offset = 0;
  uint32_t length = 0;  // never 0
  bool operator==(const Partial&) const = default;
};

// "[...]" with its brackets.
bool parse(Cursor& c, Section& out);
void write(Writer& w, const Section& section);

// "<o.n>" if there is one.
bool parse_partial(Cursor& c, std::optional<Partial>& out);
void write_partial(Writer& w, const std::optional<Partial>& partial);

}  // namespace wire::imap
