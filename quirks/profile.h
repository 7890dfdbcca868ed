// What is known to be odd about one upstream, as plain values that a few seams consult (design 8). Strict and empty by
// default: a server that no rule matches is taken at its word. Values only; any thread; shared as shared_ptr<const>.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "wire/imap/leniency.h"

namespace quirks {

struct Profile {
  bool select_instead_of_examine = false;      // EXAMINE does not show the UIDVALIDITY that lasts
  bool no_starttls = false;                    // offered and broken; never lifts a demand for TLS
  bool no_compress = false;                    // COMPRESS hangs
  bool no_condstore = false;                   // MODSEQs are not to be trusted
  bool no_qresync = false;                     // VANISHED is not to be trusted
  bool no_list_status = false;                 // LIST RETURN (STATUS ...) fails as a whole
  bool no_esearch = false;                     // SEARCH RETURN answers wrongly
  bool leave_before_delete = false;            // DELETE or RENAME of the selected mailbox ends the connection
  bool noop_after_append = false;              // EXISTS comes only when asked for
  std::optional<bool> append_bytes_unchanged;  // absent: nobody knows, so they are fetched back (I9)
  uint32_t max_command_line = 0;               // bytes; 0: no limit known
  uint32_t max_connections_per_user = 0;       // 0: no limit known
  wire::imap::Leniency leniency;

  std::vector<std::string> rules;     // the ids that set the values above, in order
  std::vector<std::string> observed;  // those that matched and only watch
};

}  // namespace quirks
