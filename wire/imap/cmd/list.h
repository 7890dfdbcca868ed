// LIST, plain and extended (RFC 3501 6.3.8, 5258, 5819, 6154), and LSUB (6.3.9). Errors: Errc::malformed, Errc::limit.
// Values only; any thread.
#pragma once

#include <string>
#include <vector>

#include "wire/imap/cursor.h"
#include "wire/imap/status_data.h"
#include "wire/imap/writer.h"

namespace wire::imap::cmd {

inline constexpr size_t max_list_patterns = 100;

struct List {
  // Selection options.
  bool select_subscribed = false, select_remote = false, select_recursive_match = false, select_special_use = false;
  // RETURN options.
  bool return_subscribed = false, return_children = false, return_special_use = false;
  StatusItems return_status;  // STATUS (...); no bits: not asked
  // The RFC 5258 form was used (selection, several patterns or RETURN): LSUB-like attributes are then due.
  bool extended = false;
  std::string reference;
  std::vector<std::string> patterns;
  bool operator==(const List&) const = default;
};
bool parse(Cursor& c, List& out);
void write(Writer& w, const List& c);

struct Lsub {
  std::string reference;
  std::string pattern;
  bool operator==(const Lsub&) const = default;
};
bool parse(Cursor& c, Lsub& out);
void write(Writer& w, const Lsub& c);

}  // namespace wire::imap::cmd
