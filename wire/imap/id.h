// ID's parameter list, the same in command and reply (RFC 2971). Errors: Errc::malformed, Errc::limit. Values; any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/imap/cursor.h"
#include "wire/imap/writer.h"

namespace wire::imap {

struct IdParams {
  struct Field {
    std::string name;
    std::optional<std::string> value;
    bool operator==(const Field&) const = default;
  };
  std::vector<Field> fields;  // empty: NIL

  // In any case; nullptr if absent or NIL.
  const std::string* find(std::string_view name) const;
  void set(std::string_view name, std::string_view value);
  bool operator==(const IdParams&) const = default;
};

// "(...)" or NIL.
bool parse(Cursor& c, IdParams& out);
void write(Writer& w, const IdParams& params);

}  // namespace wire::imap
