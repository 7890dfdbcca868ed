// Address lists of received mail: RFC 5322 3.4 with the obsolete forms of 4.4, read leniently. Raw 8-bit bytes are kept
// as they are. Any thread; values own their text; bounded by max_addresses. Never fails: what is no address is skipped
// or becomes a mailbox without a domain.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wire::mail {

// The four strings of an IMAP address (RFC 3501 7.4.2). A group starts with {mailbox = its name, no host} and ends with
// one that has neither.
struct Address {
  std::optional<std::string> name;  // display name or, without one, the comment; quotes and escapes removed
  std::optional<std::string> route;
  std::optional<std::string> mailbox;
  std::optional<std::string> host;
  bool operator==(const Address&) const = default;
};

// The host given to a mailbox that has none: NIL would mean a group.
inline constexpr std::string_view missing_domain = "MISSING_DOMAIN";
// The mailbox of "<>" or "<@host>".
inline constexpr std::string_view missing_mailbox = "MISSING_MAILBOX";

std::vector<Address> parse_address_list(std::string_view value, size_t max_addresses = 10'000);

}  // namespace wire::mail
