// Fields of a header block, as they stand in the bytes. RFC 5322 2.2; tolerant of what received mail contains: lines
// without a colon are skipped, white space before the colon is not part of the name, names compare without case.
// Any thread. Views point into the header given. Nothing here fails: what is not there is simply not found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wire::mail {

struct Field {
  std::string_view name;   // as written; empty for a line without a colon
  std::string_view value;  // after the colon, still folded, without the last line break
  std::string_view whole;  // name to last line break, as BODY[HEADER.FIELDS] returns it
};

// Iterates a header block; stops at the empty line.
class FieldReader {
 public:
  explicit FieldReader(std::string_view header) : rest_(header) {}
  // False at the end.
  bool next(Field& out);

 private:
  std::string_view rest_;
};

// The first field of that name.
std::optional<Field> find_field(std::string_view header, std::string_view name);

// RFC 5322 2.2.3: line breaks go, the white space around them stays; blanks directly after the colon are dropped. This
// is what Cyrus and Dovecot show for a folded Message-ID ("Message-ID:\r\n <a@b>" is " <a@b>").
std::string unfold(std::string_view value);

// Without the leading and trailing space, tab, CR, LF.
std::string_view trim(std::string_view text);

}  // namespace wire::mail
