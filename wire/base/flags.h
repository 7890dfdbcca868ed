// Message flags (RFC 3501 2.3.2) and the INTERNALDATE value. Values only; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wire::base {

// Bits of Flags::system. On disk: never renumber.
enum SystemFlag : uint8_t {
  seen = 1,
  answered = 2,
  flagged = 4,
  deleted = 8,
  draft = 16,
};

// \Recent is not here: it is the gateway's, per mailbox (design 1).
struct Flags {
  uint8_t system = 0;
  std::vector<std::string> keywords;  // as first spelled; compared without regard to ASCII case; no duplicates

  bool has(std::string_view keyword) const;
  void add(std::string_view keyword);     // no effect if it is there in any case
  void remove(std::string_view keyword);  // in any case
  bool operator==(const Flags&) const;    // order and case of keywords do not count
};

// "\Seen" -> bit, in any case; 0 for anything else.
uint8_t system_flag(std::string_view name);

// ASCII, as IMAP's atoms compare.
bool iequals(std::string_view a, std::string_view b);

enum class FlagsMode : uint8_t { replace, add, remove };

// RFC 3501 date-time: the second and the zone as written, since both are kept exactly.
struct InternalDate {
  int64_t seconds = 0;       // since 1970-01-01 UTC
  int16_t zone_minutes = 0;  // east of UTC, -24h..24h
  bool operator==(const InternalDate&) const = default;
};

}  // namespace wire::base
