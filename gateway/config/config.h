// The configuration as one immutable value (contract: "The configuration (TOML)"). Any thread.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/base/failure.h"

namespace gateway::config {

using wire::base::Result;

enum class Protocol { imap, pop3, lmtp, admin };
enum class ListenSecurity { starttls, tls, none };
enum class AdminMethod { authzid, separator, proxyauth, oauth2 };

struct Listen {
  Protocol protocol = Protocol::imap;
  std::string host;
  uint16_t port = 0;  // 0: a free one
  ListenSecurity security = ListenSecurity::starttls;
  bool proxy_protocol = false;
};

struct Address {
  std::string scheme;  // imap, imaps, pop3, pop3s, lmtp, sieve
  std::string host;
  uint16_t port = 0;
};

struct UpstreamTls {
  bool verify = true;
  bool off = false;  // plain text
  std::string ca_file;
};

struct UpstreamAdmin {
  std::string user;
  std::filesystem::path password_file;
  AdminMethod method = AdminMethod::authzid;
};

struct Upstream {
  std::string name;
  std::optional<Address> imap, pop3, lmtp;
  std::optional<Address> sieve;  // ManageSieve; absent: looked for at the IMAP host's port 4190
  UpstreamTls tls;
  std::optional<UpstreamAdmin> admin;
  // Connections of this node at once, all together, those for migration, those of one user. 0: no limit.
  uint32_t max_sessions = 0, max_migration = 20, max_per_user = 3;
  bool compress = false;  // COMPRESS=DEFLATE: only on slow paths
};

struct Canonical {
  bool lower_case = true;
  std::vector<std::string> strip_domain;
  std::string separator;  // "+": user+detail is user; empty: none
};

struct Config {
  std::filesystem::path file;
  std::filesystem::path data_dir;
  std::string database = "sqlite";
  std::filesystem::path certificate, key;
  std::vector<Listen> listen;
  std::map<std::string, Upstream, std::less<>> upstreams;
  bool upstream_login = true, allow_plaintext = false, capture = false;
  std::filesystem::path seal_key_file;  // default <data_dir>/secret.key
  std::optional<std::string> default_upstream;
  Canonical canonical;
  uint32_t sessions_per_user = 200, sessions_per_address = 0;
  uint32_t descriptors = 0;  // for clients, upstreams and accounts together; 0: what the system allows
  uint64_t max_append_bytes = uint64_t{256} << 20;
  std::string copy_bodies = "all";
  uint64_t copy_max_bytes = 0;
  uint32_t tombstone_ranges = 16384;           // of expunged UIDs kept a mailbox: how far back VANISHED is exact
  uint64_t segment_size = uint64_t{64} << 20;  // bytes of log after which a new file is begun
  uint32_t rewrite_share = 10;                 // per cent of the disk's time that giving space back may take; 0: never
  uint32_t rewrite_idle = 20;                  // seconds without a login after which it is looked for
  uint32_t visit_unopened = 3'600;   // seconds until an account that nobody has open is looked at again; 0: never
  uint32_t replaced_linger = 3'600;  // seconds for which a file stays in log/ beside what replaced it
  uint32_t replaced_keep = 86'400;   // seconds since it was replaced until it is removed
  std::vector<std::filesystem::path> quirk_rules;
  std::string log_level = "info", log_format = "json";
  std::optional<std::filesystem::path> access_log;
  uint32_t threads = 0;  // cores; 0: as many as the machine has

  std::filesystem::path admin_socket() const { return data_dir / "admin.sock"; }
  // A user as typed by a person, a client or an MTA -> the canonical user (design 1), or Errc::malformed.
  Result<std::string> canonical_user(std::string_view typed) const;
};

struct Problem {
  bool fatal = true;  // false: a warning
  std::string file;
  uint32_t line = 0;
  std::string what, remedy;
};

// Reads and checks everything; reports every problem at once. A value is there when no problem is fatal.
struct Loaded {
  std::optional<Config> config;
  std::vector<Problem> problems;
};
Loaded load(const std::filesystem::path& file);
std::string effective(const Config& c);  // TOML of the settings in force; no secrets

}  // namespace gateway::config
