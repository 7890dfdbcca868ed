// LOGIN (RFC 3501 6.2.3) and AUTHENTICATE with an initial response (RFC 3501 6.2.2, 4959). Holds secrets: never log it.
// Errors: Errc::malformed. Values only; any thread.
#pragma once

#include <optional>
#include <string>

#include "wire/imap/cursor.h"
#include "wire/imap/writer.h"

namespace wire::imap::cmd {

struct Login {
  std::string user;
  std::string password;
  bool operator==(const Login&) const = default;
};
bool parse(Cursor& c, Login& out);
void write(Writer& w, const Login& c);

struct Authenticate {
  std::string mechanism;               // upper case
  std::optional<std::string> initial;  // base64 as on the wire; "" for "=", an empty response
  bool operator==(const Authenticate&) const = default;
};
bool parse(Cursor& c, Authenticate& out);
void write(Writer& w, const Authenticate& c);

}  // namespace wire::imap::cmd
