// The Date header (RFC 5322 3.3, with 4.3's obsolete forms), read leniently: for SENTBEFORE, SENTON, SENTSINCE, which
// compare the date as written and ignore time and zone (RFC 3501 6.4.4), and for SORT, which takes the instant.
// Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wire/base/flags.h"

namespace wire::mail {

struct SentDate {
  int32_t year = 0;   // as written, two-digit years widened by RFC 5322 4.3
  uint8_t month = 0;  // 1..12
  uint8_t day = 0;    // 1..31
  base::InternalDate at;

  // Comparable number of the day, ignoring the zone.
  int32_t day_number() const { return (year * 12 + month) * 31 + day; }
};

// nullopt: no day, month and year to be found.
std::optional<SentDate> parse_date_header(std::string_view value);

}  // namespace wire::mail
