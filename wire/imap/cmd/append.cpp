#include "wire/imap/cmd/append.h"

#include <algorithm>

#include "wire/imap/command.h"
#include "wire/imap/date.h"

namespace wire::imap::cmd {

namespace {

// SP [flag-list SP] [date-time SP] literal
bool message(Cursor& c, AppendMessage& out) {
  if (!c.sp()) return false;
  if (c.peek() == '(') {
    if (!parse(c, out.flags) || !c.sp()) return false;
    const auto& words = out.flags.flags.keywords;
    if (out.flags.any_keyword ||
        std::any_of(words.begin(), words.end(), [](const std::string& k) { return k.starts_with('\\'); })) {
      return c.malformed("flag that cannot be set");
    }
    // Clients that copy a message's flags send \Recent along; RFC 3501 has the server set it by itself.
    out.flags.recent = false;
  }
  if (c.peek() == '"') {
    if (!parse(c, out.date.emplace()) || !c.sp()) return false;
  }
  return c.literal_handle(out.literal, out.size, out.binary);
}

void write_message(Writer& w, const AppendMessage& m) {
  w.sp();
  if (m.flags.flags.system != 0 || !m.flags.flags.keywords.empty()) {
    write(w, m.flags);
    w.sp();
  }
  if (m.date) {
    write(w, *m.date);
    w.sp();
  }
  w.literal_header(m.size, m.binary);
}

}  // namespace

bool parse(Cursor& c, Append& out) {
  out = Append();
  if (!c.sp() || !parse(c, out.mailbox)) return false;
  do {
    if (out.messages.size() == max_append_messages) return c.fail(base::Errc::limit, "too many messages");
    out.messages.emplace_back();
    if (!message(c, out.messages.back())) return false;
  } while (c.peek() == ' ' && !(c.leniency().extra_space && c.rest() == " "));
  return c.ok();
}

base::Result<Append> parse_append_so_far(std::string_view text, std::span<const Literal> literals_so_far,
                                         const Leniency& leniency) {
  Frame frame{text, literals_so_far};
  base::Result<CommandLine> line = parse_command(frame, leniency);
  if (!line) return line.error();
  if (line->name != "APPEND" || line->uid) return base::Failure(base::Errc::malformed, "no APPEND");
  return parse_args<Append>(*line);
}

void write_append(Writer& w, std::string_view tag, const MailboxName& mailbox, const AppendMessage& first) {
  write(w.atom(tag).raw(" APPEND "), mailbox);
  write_message(w, first);
}

void write_append_next(Writer& w, const AppendMessage& message) { write_message(w, message); }

}  // namespace wire::imap::cmd
