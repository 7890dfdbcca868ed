// Whether a user has an active Sieve script at the source: asked of its ManageSieve service (RFC 5804), which is
// another port than IMAP's. Reads only: capabilities, LISTSCRIPTS. Bounded: 64 KiB an answer, seconds a step.
// On any core; the stream belongs to it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/control/secret.h"
#include "gateway/source/registry.h"
#include "wire/net/stream.h"

namespace gateway::migrate {

struct SieveLook {
  enum class Found {
    nobody_answers,  // no such service where one would be by custom: the source may have rules all the same
    no_script,
    script,   // an active one
    unknown,  // the service is there and did not tell
  };
  Found found = Found::unknown;
  std::string what;  // the script's name, or why it cannot be told
};

// Where it is: as configured, else the custom port of the IMAP host. Logs in as `user`: by the administrator, else with
// the password given with `user add`.
awaitable<SieveLook> look_for_sieve(source::Services& services, const config::Upstream& upstream, std::string user);

struct SieveLogin {
  std::string authzid;  // empty: authcid
  std::string authcid;
  control::Secret password;
};
struct SieveScript {
  std::string name;
  bool active = false;
};
struct SieveSecurity {
  bool demand_tls = false, offer_tls = true;  // STARTTLS
  bool verify = true;
  std::string ca_file, host;
};
// The exchange over a connected stream. Errc::auth: refused; unsupported: no PLAIN, or no TLS where it is demanded.
awaitable<wire::base::Result<std::vector<SieveScript>>> list_scripts(wire::net::StreamPtr stream,
                                                                     SieveSecurity security, SieveLogin login);

}  // namespace gateway::migrate
