// A mailbox name as octets (RFC 3501 mailbox). INBOX in any case is "INBOX"; everything else stays as written.
// LIST patterns (RFC 3501 6.3.8). Values only; any thread.
#pragma once

#include <string>
#include <string_view>

#include "wire/imap/cursor.h"
#include "wire/imap/writer.h"

namespace wire::imap {

inline constexpr size_t max_mailbox_name = 1024;  // octets; longer names are Errc::limit

struct MailboxName {
  std::string octets;
  bool operator==(const MailboxName&) const = default;
};

bool parse(Cursor& c, MailboxName& out);
void write(Writer& w, const MailboxName& name);

// "*" matches anything, "%" anything without the separator ('\0': a flat name space). Time is |pattern| * |name|.
// INBOX as the first level matches in any case.
bool list_match(std::string_view pattern, std::string_view name, char separator);
// RFC 3501: the reference and the pattern joined, which is what all servers here do.
std::string list_pattern(std::string_view reference, std::string_view pattern);

}  // namespace wire::imap
