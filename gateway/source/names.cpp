#include "gateway/source/names.h"

#include "wire/base/flags.h"
#include "wire/imap/mutf7.h"

namespace gateway::source {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

Result<std::string> to_source(std::string_view name) {
  if (name.empty()) return Failure(Errc::malformed, "the mailbox name is empty");
  if (name.size() > max_mailbox_name) return Failure(Errc::limit, "the mailbox name is longer than 1000 bytes");
  if (name.find('\0') != name.npos) return Failure(Errc::malformed, "the mailbox name has a NUL");
  if (wire::base::iequals(name, "INBOX")) return std::string("INBOX");
  return std::string(name);
}

std::string to_client(std::string_view name) { return std::string(name); }

Result<void> may_create(std::string_view name, char separator) {
  if (name.find_first_of("*%") != name.npos) {
    return Failure(Errc::malformed, "a mailbox name may not have * or %");
  }
  for (unsigned char c : name) {
    if (c < 0x20 || c == 0x7f) return Failure(Errc::malformed, "a mailbox name may not have control characters");
  }
  if (auto decoded = wire::imap::mutf7_to_utf8(name); !decoded) return decoded.error();
  if (separator != 0) {
    const std::string twice(2, separator);
    if (name.front() == separator || name.back() == separator || name.find(twice) != name.npos) {
      return Failure(Errc::malformed, "the mailbox name has an empty level");
    }
  }
  return {};
}

}  // namespace gateway::source
