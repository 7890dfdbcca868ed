#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>

#include "gateway/config/section.h"
#include "gateway/config/url.h"

namespace gateway::config {

namespace {

constexpr uint64_t max_file_bytes = 4 << 20;

constexpr std::array<std::pair<std::string_view, Protocol>, 4> protocols{
    {{"imap", Protocol::imap}, {"pop3", Protocol::pop3}, {"lmtp", Protocol::lmtp}, {"admin", Protocol::admin}}};
constexpr std::array<std::pair<std::string_view, ListenSecurity>, 3> securities{
    {{"starttls", ListenSecurity::starttls}, {"tls", ListenSecurity::tls}, {"none", ListenSecurity::none}}};
constexpr std::array<std::pair<std::string_view, AdminMethod>, 4> methods{{{"authzid", AdminMethod::authzid},
                                                                           {"separator", AdminMethod::separator},
                                                                           {"proxyauth", AdminMethod::proxyauth},
                                                                           {"oauth2", AdminMethod::oauth2}}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> levels{{{"trace", "trace"},
                                                                               {"debug", "debug"},
                                                                               {"info", "info"},
                                                                               {"warning", "warning"},
                                                                               {"error", "error"},
                                                                               {"off", "off"}}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> formats{{{"json", "json"}, {"text", "text"}}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> body_policies{
    {{"all", "all"}, {"recent", "recent"}, {"none", "none"}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> cases{{{"lower", true}, {"exact", false}}};

class Loader {
 public:
  Loader(Problems& problems, Config& config) : p_(problems), c_(config) {}

  void read(const toml::table& root) {
    Section s(p_, &root, "", 1);
    s.set_base(std::filesystem::absolute(c_.file).parent_path());
    if (s.path("data_dir", c_.data_dir) == 0) {
      p_.error(1, "data_dir is missing", "add data_dir = \"/var/lib/fairlead\" above the first section");
    }
    s.number("threads", c_.threads, 1024);
    control(s);
    tls(s);
    listeners(s);
    upstreams(s);
    auth(s);
    routing(s);
    limits(s);
    copy(s);
    storage(s);
    quirks(s);
    log(s);
  }

 private:
  void control(Section& root) {
    uint32_t line = 0;
    const toml::table* t = root.table("control", line);
    Section s(p_, t, "control", line);
    if (const uint32_t at = s.text("database", c_.database); at != 0 && c_.database != "sqlite") {
      p_.error(at, "control.database = \"" + c_.database + "\" is not served by this build", "use \"sqlite\"");
    }
  }

  void tls(Section& root) {
    const toml::table* t = root.table("tls", tls_line_);
    Section s(p_, t, "tls", tls_line_);
    s.set_base(root.base());
    const uint32_t certificate = s.path("certificate", c_.certificate);
    const uint32_t key = s.path("key", c_.key);
    if (certificate != 0) readable(certificate, "tls.certificate", c_.certificate);
    if (key != 0) readable(key, "tls.key", c_.key);
    if ((certificate == 0) != (key == 0)) {
      p_.error(tls_line_, "tls needs both certificate and key", "give both, in PEM");
    }
  }

  void listeners(Section& root) {
    size_t n = 0;
    for (const auto& [table, line] : root.tables("listen")) {
      Section s(p_, table, "listen[" + std::to_string(n++) + "]", line);
      listener(s);
    }
    if (n == 0) p_.warning(1, "there is no [[listen]]: no client can connect", "add one for imap");
  }

  void listener(Section& s) {
    Listen l;
    std::string address;
    if (s.choice("protocol", l.protocol, protocols) == 0) {
      p_.error(s.line(), s.name_of("protocol") + " is missing", "add protocol = \"imap\"");
    }
    const uint32_t at = s.text("address", address);
    if (at == 0) {
      p_.error(s.line(), s.name_of("address") + " is missing", "add address = \"127.0.0.1:143\"");
    } else if (auto hp = split_host_port(address)) {
      l.host = hp->host;
      l.port = hp->port;
    } else {
      p_.error(at, s.name_of("address") + " = \"" + address + "\": " + hp.error().note,
               "write it as 127.0.0.1:143, [::1]:143 or *:143; port 0 takes a free one");
    }
    s.choice("security", l.security, securities);
    const uint32_t proxied = s.flag("proxy_protocol", l.proxy_protocol);
    if (l.security != ListenSecurity::none && l.protocol == Protocol::imap && c_.certificate.empty()) {
      p_.error(s.line(), "this listener needs a certificate",
               "add [tls] with certificate and key, or security = \"none\"");
    }
    if (l.protocol != Protocol::imap) {
      const std::string name(protocols[static_cast<size_t>(l.protocol)].first);
      p_.warning(s.line(), "this build does not serve " + name + " yet; its listener stays closed",
                 "nothing to do, or remove it");
    } else if (l.proxy_protocol) {
      p_.warning(proxied, "this build does not read the PROXY protocol yet; the listener stays closed",
                 "set proxy_protocol = false and let clients connect directly");
    }
    c_.listen.push_back(std::move(l));
  }

  void upstreams(Section& root) {
    size_t n = 0;
    for (const auto& [table, line] : root.tables("upstream")) {
      const std::string path = "upstream[" + std::to_string(n++) + "]";
      Section s(p_, table, path, line);
      s.set_base(root.base());
      upstream(s, path);
    }
  }

  void upstream(Section& s, const std::string& path) {
    Upstream u;
    if (s.text("name", u.name) == 0 || u.name.empty()) {
      p_.error(s.line(), s.name_of("name") + " is missing", "add name = \"old\"");
    }
    address(s, "imap", {{"imap", 143}, {"imaps", 993}}, u.imap);
    address(s, "pop3", {{"pop3", 110}, {"pop3s", 995}}, u.pop3);
    address(s, "lmtp", {{"lmtp", 24}}, u.lmtp);
    address(s, "sieve", {{"sieve", 4190}}, u.sieve);
    if (!u.imap)
      p_.error(s.line(), s.name_of("imap") + " is missing", "add imap = \"imap://HOST\" or \"imaps://HOST\"");
    uint32_t line = 0;
    if (const toml::table* t = s.table("tls", line)) {
      Section tls(p_, t, path + ".tls", line);
      tls.set_base(s.base());
      const uint32_t verify = tls.flag("verify", u.tls.verify);
      const uint32_t off = tls.flag("off", u.tls.off);
      std::filesystem::path ca;
      if (const uint32_t at = tls.path("ca_file", ca); at != 0) {
        readable(at, tls.name_of("ca_file"), ca);
        u.tls.ca_file = ca;
      }
      if (u.tls.off && u.imap && u.imap->scheme == "imaps") {
        p_.error(off, path + ".tls.off contradicts imaps://", "use imap://, or remove off");
      } else if (!u.tls.off && !u.tls.verify) {
        p_.warning(verify,
                   "the certificate of upstream \"" + u.name + "\" is not checked: anyone in between can read it",
                   "set ca_file to the certificate of its issuer, and verify = true");
      }
    }
    if (const toml::table* t = s.table("admin", line)) admin(t, path + ".admin", line, s.base(), u);
    if (const toml::table* t = s.table("limits", line)) {
      Section limits(p_, t, path + ".limits", line);
      limits.number("sessions", u.max_sessions);
      limits.number("migration", u.max_migration);
      limits.number("per_user", u.max_per_user);
    }
    s.flag("compress", u.compress);
    if (!u.name.empty() && !c_.upstreams.emplace(u.name, u).second) {
      p_.error(s.line(), "there are two upstreams called \"" + u.name + "\"", "give each its own name");
    }
  }

  void admin(const toml::table* t, const std::string& path, uint32_t line, const std::filesystem::path& base,
             Upstream& u) {
    Section s(p_, t, path, line);
    s.set_base(base);
    UpstreamAdmin a;
    if (s.text("user", a.user) == 0) p_.error(line, path + ".user is missing", "name the administrator's login");
    if (const uint32_t at = s.path("password_file", a.password_file); at != 0) {
      readable(at, path + ".password_file", a.password_file);
    } else {
      p_.error(line, path + ".password_file is missing", "name a file whose first line is the password");
    }
    const uint32_t at = s.choice("method", a.method, methods);
    if (a.method == AdminMethod::proxyauth || a.method == AdminMethod::oauth2) {
      p_.warning(at, path + ".method is not spoken by this build yet: accounts need a password of their own",
                 "use authzid or separator, or user add --password-file");
    }
    u.admin = std::move(a);
  }

  struct Scheme {
    std::string_view name;
    uint16_t port;
  };
  void address(Section& s, std::string_view key, std::initializer_list<Scheme> schemes, std::optional<Address>& out) {
    std::string url, all;
    const uint32_t at = s.text(key, url);
    if (at == 0) return;
    for (const Scheme& scheme : schemes) {
      all += (all.empty() ? "" : " or ") + std::string(scheme.name) + "://HOST[:PORT]";
      const std::string start = std::string(scheme.name) + "://";
      if (!url.starts_with(start)) continue;
      auto hp = split_host_port(std::string_view(url).substr(start.size()), scheme.port);
      if (hp && hp->port != 0 && hp->host != "*") {
        Address a;
        a.scheme = scheme.name;
        a.host = hp->host;
        a.port = hp->port;
        out = std::move(a);
        return;
      }
    }
    p_.error(at, s.name_of(key) + " = \"" + url + "\" is not an address of this kind", "write it as " + all);
  }

  void auth(Section& root) {
    uint32_t line = 0;
    const toml::table* t = root.table("auth", line);
    Section s(p_, t, "auth", line);
    s.set_base(root.base());
    s.flag("upstream_login", c_.upstream_login);
    s.flag("allow_plaintext", c_.allow_plaintext);
    if (const uint32_t at = s.flag("capture", c_.capture); c_.capture) {
      p_.warning(at, "this build does not capture passwords yet", "set capture = false");
    }
    c_.seal_key_file = c_.data_dir / "secret.key";
    s.path("seal_key_file", c_.seal_key_file);
  }

  void routing(Section& root) {
    uint32_t line = 0;
    const toml::table* t = root.table("routing", line);
    Section s(p_, t, "routing", line);
    std::string upstream;
    if (const uint32_t at = s.text("default_upstream", upstream); at != 0) {
      if (!c_.upstreams.contains(upstream)) {
        p_.error(at, "routing.default_upstream = \"" + upstream + "\" is not an [[upstream]]",
                 "add it, or remove the line: then unknown users are refused");
      }
      c_.default_upstream = std::move(upstream);
    }
    uint32_t at = 0;
    const toml::table* canonical = s.table("canonical", at);
    Section k(p_, canonical, "routing.canonical", at);
    k.choice("case", c_.canonical.lower_case, cases);
    k.texts("strip_domain", c_.canonical.strip_domain);
    if (const uint32_t sep = k.text("separator", c_.canonical.separator); sep != 0) {
      const std::string& v = c_.canonical.separator;
      if (v.size() > 1 || v == "@" || (!v.empty() && (std::isalnum(static_cast<unsigned char>(v[0])) || v[0] <= ' '))) {
        p_.error(sep, "routing.canonical.separator must be one punctuation character", "use \"+\", or \"\" for none");
      }
    }
  }

  void limits(Section& root) {
    uint32_t line = 0;
    const toml::table* t = root.table("limits", line);
    Section s(p_, t, "limits", line);
    s.number("sessions_per_user", c_.sessions_per_user);
    s.number("sessions_per_address", c_.sessions_per_address);
    s.number("descriptors", c_.descriptors);
    s.number("max_append_bytes", c_.max_append_bytes, uint64_t{4} << 30);
  }

  void copy(Section& root) {
    uint32_t line = 0;
    const toml::table* t = root.table("copy", line);
    Section s(p_, t, "copy", line);
    std::string_view bodies = c_.copy_bodies;
    if (s.choice("bodies", bodies, body_policies) != 0) c_.copy_bodies = bodies;
    s.number("max_bytes", c_.copy_max_bytes, uint64_t{1} << 50);
  }

  void storage(Section& root) {
    uint32_t line = 0;
    const toml::table* t = root.table("storage", line);
    Section s(p_, t, "storage", line);
    if (const uint32_t at = s.number("tombstone_ranges", c_.tombstone_ranges); at != 0) {
      if (c_.tombstone_ranges < 16 || c_.tombstone_ranges > 10'000'000) {
        p_.error(at, "storage.tombstone_ranges must be between 16 and 10,000,000",
                 "16384 is the default and costs at most 256 KiB a mailbox");
      }
    }
    if (const uint32_t at = s.number("segment_size", c_.segment_size, UINT32_MAX); at != 0) {
      if (c_.segment_size < uint64_t{1} << 20 || c_.segment_size > uint64_t{1} << 30) {
        p_.error(at, "storage.segment_size must be between 1048576 (1 MiB) and 1073741824 (1 GiB)",
                 "67108864 (64 MiB) is the default; smaller ones give space back sooner and in more files");
      }
    }
    s.number("rewrite_share", c_.rewrite_share, 100);
    s.number("rewrite_idle", c_.rewrite_idle, 86'400);
    s.number("visit_unopened", c_.visit_unopened, 31'536'000);
    const uint32_t linger_at = s.number("replaced_linger", c_.replaced_linger, 2'592'000);
    const uint32_t keep_at = s.number("replaced_keep", c_.replaced_keep, 31'536'000);
    if (c_.replaced_keep < c_.replaced_linger) {
      p_.error(std::max(linger_at, keep_at), "storage.replaced_keep is less than storage.replaced_linger",
               "both count from when a file was replaced; 3600 and 86400 are the defaults");
    }
  }

  void quirks(Section& root) {
    uint32_t line = 0;
    const toml::table* t = root.table("quirks", line);
    Section s(p_, t, "quirks", line);
    std::vector<std::string> rules;
    const uint32_t at = s.texts("rules", rules);
    for (const std::string& rule : rules) {
      c_.quirk_rules.push_back(root.base() / rule);
      readable(at, "quirks.rules", c_.quirk_rules.back());
    }
  }

  void log(Section& root) {
    uint32_t line = 0;
    const toml::table* t = root.table("log", line);
    Section s(p_, t, "log", line);
    s.set_base(root.base());
    std::string_view level, format;
    if (s.choice("level", level, levels) != 0) c_.log_level = level;
    if (s.choice("format", format, formats) != 0) c_.log_format = format;
    std::filesystem::path access;
    if (s.path("access", access) != 0) c_.access_log = access;
  }

  void readable(uint32_t line, const std::string& name, const std::filesystem::path& file) {
    if (::access(file.c_str(), R_OK) == 0) return;
    p_.error(line, name + " = \"" + file.string() + "\" cannot be read: " + std::strerror(errno),
             "correct the path, or let the user who runs fairlead read it");
  }

  Problems& p_;
  Config& c_;
  uint32_t tls_line_ = 1;
};

}  // namespace

Loaded load(const std::filesystem::path& file) {
  Problems problems(file.string());
  Loaded out;
  std::string text;
  {
    std::error_code ec;
    const auto size = std::filesystem::file_size(file, ec);
    std::ifstream in(file, std::ios::binary);
    if (ec || !in) {
      problems.error(0, "cannot be read: " + (ec ? ec.message() : std::string(std::strerror(errno))),
                     "name the configuration with --config FILE");
    } else if (size > max_file_bytes) {
      problems.error(0, "is larger than 4 MiB", "this is not a configuration file");
    } else {
      std::ostringstream all;
      all << in.rdbuf();
      text = std::move(all).str();
    }
  }
  if (!problems.fatal()) {
    toml::parse_result parsed = toml::parse(text, file.string());
    if (!parsed) {
      problems.error(parsed.error().source().begin.line, std::string(parsed.error().description()),
                     "correct the TOML syntax of this line");
    } else {
      Config config;
      config.file = file;
      Loader loader(problems, config);
      loader.read(parsed.table());
      if (!problems.fatal()) out.config = std::move(config);
    }
  }
  out.problems = problems.take();
  return out;
}

}  // namespace gateway::config
