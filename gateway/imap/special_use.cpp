#include "gateway/imap/special_use.h"

#include "wire/base/flags.h"

namespace gateway::imap {

std::string_view canonical_special_use(std::string_view attribute) {
  // \All and \Flagged denote virtual mailboxes, which cannot be made.
  for (std::string_view known : {"\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"}) {
    if (wire::base::iequals(attribute, known)) return known;
  }
  return {};
}

}  // namespace gateway::imap
