// Commands without arguments: CAPABILITY, NOOP, LOGOUT, STARTTLS, CHECK, CLOSE, UNSELECT, NAMESPACE, IDLE.
// A server checks CommandLine::no_arguments(); a client writes the name.
#pragma once

#include <string_view>

#include "wire/imap/cursor.h"
#include "wire/imap/writer.h"

namespace wire::imap::cmd {

struct Simple {
  std::string_view name;  // upper case, a string literal
};

void write(Writer& w, const Simple& c);

}  // namespace wire::imap::cmd
