// The outside of a client's command: tag, name, UID prefix; the arguments stay unread so that the server's table can
// dispatch (RFC 3501 command). Errors: Errc::malformed. Values; the frame must outlive the cursor; any thread.
#pragma once

#include <string>
#include <string_view>

#include "wire/base/failure.h"
#include "wire/imap/cursor.h"
#include "wire/imap/framer.h"
#include "wire/imap/writer.h"

namespace wire::imap {

struct CommandLine {
  std::string tag;
  std::string name;  // upper case; "FETCH" for "uid fetch", with uid set
  bool uid = false;
  Cursor args;  // stands after the name, before the SP

  // The SP before arguments is theirs: "NOOP" has none.
  bool no_arguments() { return args.end(); }
};

base::Result<CommandLine> parse_command(const Frame& frame, const Leniency& leniency = {});
// The tag of a line that is no command, for the BAD; "*" if not even that can be read.
std::string tag_of(std::string_view line);

// A command's argument struct T (wire/imap/cmd) from the rest of the line: T's parse reads from the SP after the name
// to the end; a T with a member `uid` gets the prefix.
template <class T>
base::Result<T> parse_args(CommandLine& line) {
  T value{};
  if constexpr (requires { value.uid; }) value.uid = line.uid;
  if (!parse(line.args, value) || !line.args.end()) return line.args.failure();
  return value;
}

// tag SP command CRLF. T's write begins with the command's name.
template <class T>
void write_command(Writer& w, std::string_view tag, const T& command) {
  w.atom(tag).sp();
  write(w, command);
  w.crlf();
}

}  // namespace wire::imap
