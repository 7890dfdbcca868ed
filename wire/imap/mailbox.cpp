#include "wire/imap/mailbox.h"

#include <vector>

#include "wire/base/flags.h"

namespace wire::imap {

bool parse(Cursor& c, MailboxName& out) {
  if (!c.astring(out.octets)) return false;
  if (out.octets.size() > max_mailbox_name) return c.fail(base::Errc::limit, "mailbox name too long");
  // No server here stores such names, and they would break every line they are shown on.
  if (out.octets.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) {
    return c.malformed("mailbox name with a control character");
  }
  if (base::iequals(out.octets, "INBOX")) out.octets = "INBOX";
  return true;
}

void write(Writer& w, const MailboxName& name) { w.astring(name.octets); }

// A set of reachable pattern positions is carried along the name, so that no pattern costs more than
// |pattern| * |name| steps, whatever its wildcards.
bool list_match(std::string_view pattern, std::string_view name, char separator) {
  if (pattern == "*") return true;
  size_t inbox = 0;
  if (name == "INBOX" || (separator != '\0' && name.starts_with("INBOX") && name[5] == separator)) inbox = 5;

  const size_t end = pattern.size();
  auto wild = [&](size_t p) { return p < end && (pattern[p] == '*' || pattern[p] == '%'); };
  std::vector<uint8_t> now(end + 1, 0), next(end + 1, 0);
  // A wildcard may also stand for nothing.
  auto reach = [&](std::vector<uint8_t>& set, size_t p) {
    set[p] = 1;
    while (wild(p)) set[++p] = 1;
  };
  reach(now, 0);
  for (size_t n = 0; n < name.size(); ++n) {
    char c = name[n];
    bool any = false;
    std::fill(next.begin(), next.end(), uint8_t{0});
    for (size_t p = 0; p < end; ++p) {
      if (!now[p]) continue;
      char want = pattern[p];
      if (want == '*' || (want == '%' && (separator == '\0' || c != separator))) {
        any = true;
        if (!next[p]) reach(next, p);
      } else if (want != '%' && (want == c || (n < inbox && chars::upper(want) == c))) {
        any = true;
        if (!next[p + 1]) reach(next, p + 1);
      }
    }
    if (!any) return false;
    now.swap(next);
  }
  return now[end] != 0;
}

std::string list_pattern(std::string_view reference, std::string_view pattern) {
  std::string out(reference);
  out += pattern;
  return out;
}

}  // namespace wire::imap
