// What SORT and THREAD compare (RFC 5256 2.2, 3). Of most messages the envelope says all of it but the references, and
// then only those are kept: a blob is read together with the ENVELOPE beside it. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gateway::derived {

struct SortKeys {
  std::optional<int32_t> day;      // of the Date header as written: days since 1970-01-01
  std::optional<int64_t> instant;  // the same in UTC, seconds
  std::string from, to, cc;        // mailbox of the first address, folded
  std::string subject;             // base subject, folded
  bool reply = false;              // the subject says so
  std::string message_id;
  std::vector<std::string> references;  // of References, or else the first of In-Reply-To
  bool operator==(const SortKeys&) const = default;
};

// Which of them are wanted: each costs a little to read out of an envelope.
struct WantedKeys {
  bool date = true, from = true, to = true, cc = true, subject = true, ids = true;
};

// Of the header itself.
SortKeys sort_keys(std::string_view header);

// Appends the blob. `envelope`: as write_envelope() wrote it.
void write_keys(std::string_view header, std::string_view envelope, std::string& out);
// At least those wanted. nullopt: damaged.
std::optional<SortKeys> read_keys(std::string_view blob, std::string_view envelope, const WantedKeys& wanted = {});
// Of a message without a Date, and of what is damaged: nullopt.
std::optional<int32_t> read_day(std::string_view blob, std::string_view envelope);

}  // namespace gateway::derived
