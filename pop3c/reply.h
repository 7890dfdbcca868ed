// Lines of POP3 replies (RFC 1939, 2449, 5034, 6856) as values. Pure; any thread. Errors: Errc::malformed, Errc::limit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/base/failure.h"

namespace pop3c {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

// "+OK text", "-ERR [CODE] text" (RFC 2449 8), "+ base64" (RFC 5034 4).
struct Reply {
  enum class Kind : uint8_t { ok, error, challenge } kind = Kind::ok;
  std::string code;  // upper case, without brackets; empty: none
  std::string text;  // the stranger's
};
Result<Reply> parse_reply(std::string_view line);
// What an -ERR means: AUTH and the like to Errc::auth, IN-USE, LOGIN-DELAY, SYS/TEMP to unavailable, else refused.
Failure refusal(const Reply& reply, const char* command);

// CAPA's lines (RFC 2449), one a capability with its parameters.
class Capabilities {
 public:
  void add_line(std::string_view line);
  bool has(std::string_view name) const;                             // in any case
  std::vector<std::string> parameters(std::string_view name) const;  // SASL PLAIN LOGIN -> PLAIN, LOGIN
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

// "+OK 12 34567": messages and octets.
struct Stat {
  uint64_t messages = 0, octets = 0;
};
Result<Stat> parse_stat(std::string_view text);

// "3 QhdPYR:00WBw1Ph7x7": 1 to 70 characters 0x21 to 0x7E by RFC 1939 7; longer ones and others are seen and kept.
struct Uidl {
  uint64_t number = 0;
  std::string id;
};
Result<Uidl> parse_uidl(std::string_view line);

}  // namespace pop3c
