// The capability list (RFC 3501 7.2.1). Compared without regard to ASCII case, order of the peer kept.
// Errors: Errc::malformed, Errc::limit. Values only; any thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "wire/imap/cursor.h"
#include "wire/imap/writer.h"

namespace wire::imap {

inline constexpr size_t max_capabilities = 500;

class Capabilities {
 public:
  Capabilities() = default;
  Capabilities(std::initializer_list<std::string_view> names);

  bool has(std::string_view name) const;
  void add(std::string_view name);  // no effect if it is there
  void remove(std::string_view name);
  // "APPENDLIMIT=1000" has value "1000" for "APPENDLIMIT"; empty if absent.
  std::string_view value(std::string_view name) const;
  // The mechanisms of AUTH=...
  std::vector<std::string_view> values(std::string_view name) const;
  bool empty() const { return names_.empty(); }
  const std::vector<std::string>& names() const { return names_; }
  bool operator==(const Capabilities&) const;  // as sets

 private:
  std::vector<std::string> names_;
};

// *(SP atom): what follows the word CAPABILITY, ENABLE or ENABLED, with the SP before each.
bool parse(Cursor& c, Capabilities& out);
void write(Writer& w, const Capabilities& capabilities);

}  // namespace wire::imap
