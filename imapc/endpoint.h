// Where an upstream is, as whom to log in, and within which bounds to talk to it. Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/imap/framer.h"
#include "wire/imap/id.h"
#include "wire/imap/leniency.h"
#include "wire/net/stream.h"

namespace imapc {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;
using wire::net::Timeout;

enum class Security : uint8_t {
  none,                 // plain text, also if STARTTLS is offered
  starttls_if_offered,  // an attacker in between can hide the offer: not for passwords over foreign networks
  starttls,             // no TLS, no login
  implicit_tls,
};

struct Endpoint {
  std::string host;  // as the certificate names it
  uint16_t port = 143;
  Security security = Security::starttls;
  bool verify = true;   // chain and host name
  std::string ca_file;  // PEM; empty: the system's store
};

// A password. Wiped when it dies or is overwritten; never printed.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : text_(other.text_) { other.wipe(); }
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }
  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  void wipe();

 private:
  std::string text_;
};

// Overwrites and empties a buffer that held a secret.
void wipe(std::string& text);

struct Admin {
  enum class Method : uint8_t {
    authzid,    // AUTHENTICATE PLAIN as the admin, acting as the user (RFC 4616)
    separator,  // log in as user*admin with the admin's password
  };
  std::string user;
  Secret password;
  Method method = Method::authzid;
  std::string separator = "*";
};

// Either the user's own password or an admin who may become the user.
struct Credentials {
  std::string user;
  Secret password;  // unused with an admin
  std::optional<Admin> admin;
};

struct Limits {
  wire::imap::FramerLimits framer = wire::imap::FramerLimits::client();
  size_t max_mailboxes = 500'000;       // of one LIST
  size_t max_results = 2'000'000;       // changes or ranges kept in memory for one command
  size_t max_unsolicited = 10'000'000;  // lines that nobody asked for, between two tagged replies
};

struct Options {
  Timeout connect_timeout{30'000};    // until the TCP connection stands
  Timeout login_timeout{60'000};      // from there until logged in: greeting, TLS, capabilities, login
  Timeout progress_timeout{300'000};  // commands are in flight and not one byte arrives
  Timeout write_timeout{120'000};     // the server takes nothing
  Timeout idle_reissue{28 * 60'000};  // RFC 2177: at least every 29 minutes
  bool compress = false;              // COMPRESS=DEFLATE where offered: only for slow paths
  bool sasl_ir = true;                // false: never send AUTHENTICATE's initial response (broken servers)
  wire::imap::IdParams id;            // who we are; empty: ID is not sent
  std::vector<std::string> enable;    // ENABLE after login what of these is offered: CONDSTORE, QRESYNC, ...
  wire::imap::Leniency leniency;
  Limits limits;
  size_t read_buffer = 256 * 1024;
};

}  // namespace imapc
