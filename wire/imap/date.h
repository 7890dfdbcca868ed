// RFC 3501 date-time (INTERNALDATE, APPEND) and date (SEARCH). The zone is kept: what was read is written back the
// same. Errors: Errc::malformed. Values only; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "wire/base/flags.h"
#include "wire/imap/cursor.h"
#include "wire/imap/writer.h"

namespace wire::imap {

// A calendar day, for SEARCH: compared without time and zone. Days since 1970-01-01.
struct Day {
  int32_t days = 0;
  auto operator<=>(const Day&) const = default;
};

// `" 1-Feb-2024 10:00:00 +0100"` with its quotes. A leap second (":60") is read as :59.
bool parse(Cursor& c, base::InternalDate& out);
void write(Writer& w, const base::InternalDate& date);
std::string to_string(const base::InternalDate& date);  // without quotes

// `1-Feb-2024`, quoted or not.
bool parse(Cursor& c, Day& out);
void write(Writer& w, const Day& day);

// The day that INTERNALDATE shows in its own zone (RFC 3501 SEARCH disregards time and zone).
Day day_of(const base::InternalDate& date);
int32_t days_from_civil(int year, int month, int day);

}  // namespace wire::imap
