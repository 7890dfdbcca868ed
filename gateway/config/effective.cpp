#include "gateway/config/config.h"

namespace gateway::config {

namespace {

std::string toml_text(std::string_view s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      constexpr char hex[] = "0123456789ABCDEF";
      out += std::string("\\u00") + hex[(c >> 4) & 15] + hex[c & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

template <class List>
std::string list_of(const List& items) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ", ";
    out += toml_text(std::string(item));
  }
  return out + "]";
}

const char* word(bool b) { return b ? "true" : "false"; }

const char* word(Protocol p) {
  switch (p) {
    case Protocol::imap:
      return "imap";
    case Protocol::pop3:
      return "pop3";
    case Protocol::lmtp:
      return "lmtp";
    case Protocol::admin:
      return "admin";
  }
  return "";
}

const char* word(ListenSecurity s) {
  switch (s) {
    case ListenSecurity::starttls:
      return "starttls";
    case ListenSecurity::tls:
      return "tls";
    case ListenSecurity::none:
      return "none";
  }
  return "";
}

const char* word(AdminMethod m) {
  switch (m) {
    case AdminMethod::authzid:
      return "authzid";
    case AdminMethod::separator:
      return "separator";
    case AdminMethod::proxyauth:
      return "proxyauth";
    case AdminMethod::oauth2:
      return "oauth2";
  }
  return "";
}

std::string host_port(const std::string& host, uint16_t port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

void line(std::string& out, std::string_view key, const std::string& value) {
  out.append(key).append(" = ").append(value).append("\n");
}

void write_upstream(std::string& out, const Upstream& u) {
  out += "\n[[upstream]]\n";
  line(out, "name", toml_text(u.name));
  const auto address = [&out](std::string_view key, const std::optional<Address>& a) {
    if (a) line(out, key, toml_text(a->scheme + "://" + host_port(a->host, a->port)));
  };
  address("imap", u.imap);
  address("pop3", u.pop3);
  address("lmtp", u.lmtp);
  address("sieve", u.sieve);
  std::string tls = std::string("{ verify = ") + word(u.tls.verify) + ", off = " + word(u.tls.off);
  if (!u.tls.ca_file.empty()) tls += ", ca_file = " + toml_text(u.tls.ca_file);
  line(out, "tls", tls + " }");
  if (u.admin) {
    line(out, "admin",
         "{ user = " + toml_text(u.admin->user) + ", password_file = " + toml_text(u.admin->password_file.string()) +
             ", method = \"" + word(u.admin->method) + "\" }");
  }
  line(out, "limits",
       "{ sessions = " + std::to_string(u.max_sessions) + ", migration = " + std::to_string(u.max_migration) +
           ", per_user = " + std::to_string(u.max_per_user) + " }");
  line(out, "compress", word(u.compress));
}

}  // namespace

std::string effective(const Config& c) {
  std::string out;
  line(out, "data_dir", toml_text(c.data_dir.string()));
  line(out, "threads", std::to_string(c.threads));
  out += "\n[control]\n";
  line(out, "database", toml_text(c.database));
  if (!c.certificate.empty()) {
    out += "\n[tls]\n";
    line(out, "certificate", toml_text(c.certificate.string()));
    line(out, "key", toml_text(c.key.string()));
  }
  for (const Listen& l : c.listen) {
    out += "\n[[listen]]\n";
    line(out, "protocol", toml_text(word(l.protocol)));
    line(out, "address", toml_text(host_port(l.host, l.port)));
    line(out, "security", toml_text(word(l.security)));
    line(out, "proxy_protocol", word(l.proxy_protocol));
  }
  for (const auto& [name, upstream] : c.upstreams) write_upstream(out, upstream);
  out += "\n[auth]\n";
  line(out, "upstream_login", word(c.upstream_login));
  line(out, "allow_plaintext", word(c.allow_plaintext));
  line(out, "capture", word(c.capture));
  line(out, "seal_key_file", toml_text(c.seal_key_file.string()));
  out += "\n[routing]\n";
  if (c.default_upstream) line(out, "default_upstream", toml_text(*c.default_upstream));
  line(out, "canonical",
       std::string("{ case = \"") + (c.canonical.lower_case ? "lower" : "exact") + "\", strip_domain = " +
           list_of(c.canonical.strip_domain) + ", separator = " + toml_text(c.canonical.separator) + " }");
  out += "\n[limits]\n";
  line(out, "sessions_per_user", std::to_string(c.sessions_per_user));
  line(out, "sessions_per_address", std::to_string(c.sessions_per_address));
  line(out, "descriptors", std::to_string(c.descriptors));
  line(out, "max_append_bytes", std::to_string(c.max_append_bytes));
  out += "\n[copy]\n";
  line(out, "bodies", toml_text(c.copy_bodies));
  line(out, "max_bytes", std::to_string(c.copy_max_bytes));
  out += "\n[storage]\n";
  line(out, "tombstone_ranges", std::to_string(c.tombstone_ranges));
  line(out, "segment_size", std::to_string(c.segment_size));
  line(out, "rewrite_share", std::to_string(c.rewrite_share));
  line(out, "rewrite_idle", std::to_string(c.rewrite_idle));
  line(out, "visit_unopened", std::to_string(c.visit_unopened));
  line(out, "replaced_linger", std::to_string(c.replaced_linger));
  line(out, "replaced_keep", std::to_string(c.replaced_keep));
  out += "\n[quirks]\n";
  line(out, "rules", list_of(c.quirk_rules));
  out += "\n[log]\n";
  line(out, "level", toml_text(c.log_level));
  line(out, "format", toml_text(c.log_format));
  if (c.access_log) line(out, "access", toml_text(c.access_log->string()));
  return out;
}

}  // namespace gateway::config
