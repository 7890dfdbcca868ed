// APPEND, also of several messages (RFC 3501 6.3.11, 3502). The message bytes are handles: their literals were streamed
// or stand in the frame. Errors: Errc::malformed, Errc::limit. Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "wire/base/flags.h"
#include "wire/imap/cursor.h"
#include "wire/imap/flags.h"
#include "wire/imap/mailbox.h"
#include "wire/imap/writer.h"

namespace wire::imap::cmd {

inline constexpr size_t max_append_messages = 1000;

struct AppendMessage {
  FlagList flags;
  std::optional<base::InternalDate> date;
  size_t literal = 0;  // index in Frame::literals
  uint64_t size = 0;
  bool binary = false;  // ~{n}
  bool operator==(const AppendMessage&) const = default;
};

struct Append {
  MailboxName mailbox;
  std::vector<AppendMessage> messages;
  bool operator==(const Append&) const = default;
};
bool parse(Cursor& c, Append& out);

// The text up to an announced literal, "tag APPEND box (flags) "date" {n}\r\n": what the server knows before it says
// "+ ". The last message is the one whose bytes come; earlier ones are complete.
// Give it the cursor of parse_command on {Framer::text(), literals_so_far() and the announced one as streamed}.
base::Result<Append> parse_append_so_far(std::string_view text, std::span<const Literal> literals_so_far,
                                         const Leniency& leniency = {});

// A client writes "tag APPEND box (flags) "date" {n}\r\n", sends the bytes, then write_append_next or CRLF.
void write_append(Writer& w, std::string_view tag, const MailboxName& mailbox, const AppendMessage& first);
void write_append_next(Writer& w, const AppendMessage& message);

}  // namespace wire::imap::cmd
