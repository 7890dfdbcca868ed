// One line of a server (RFC 3501 7): what a client reads and a server writes. FetchData holds views into the frame, all
// else owns its bytes. Errors: Errc::malformed, Errc::limit. Values only; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "wire/base/failure.h"
#include "wire/imap/capabilities.h"
#include "wire/imap/fetch_data.h"
#include "wire/imap/framer.h"
#include "wire/imap/id.h"
#include "wire/imap/list_data.h"
#include "wire/imap/namespace_data.h"
#include "wire/imap/resp_code.h"
#include "wire/imap/search_data.h"
#include "wire/imap/sets.h"
#include "wire/imap/status_data.h"

namespace wire::imap {

enum class Condition : uint8_t { ok, no, bad, bye, preauth };

// OK, NO, BAD (tagged or not), BYE, PREAUTH (greeting).
struct Status {
  std::string tag;  // empty: untagged
  Condition condition = Condition::ok;
  RespCode code;
  std::string text;
  bool tagged() const { return !tag.empty(); }
  bool operator==(const Status&) const = default;
};

struct Continuation {
  std::string text;  // base64 of a SASL challenge, or words
  bool operator==(const Continuation&) const = default;
};
struct CapabilityData {
  Capabilities capabilities;
  bool operator==(const CapabilityData&) const = default;
};
struct EnabledData {
  Capabilities capabilities;
  bool operator==(const EnabledData&) const = default;
};
struct FlagsData {
  FlagList flags;
  bool operator==(const FlagsData&) const = default;
};
struct ExistsData {
  uint32_t count = 0;
  bool operator==(const ExistsData&) const = default;
};
struct RecentData {
  uint32_t count = 0;
  bool operator==(const RecentData&) const = default;
};
struct ExpungeData {
  base::SeqNo seq;
  bool operator==(const ExpungeData&) const = default;
};
struct VanishedData {
  bool earlier = false;
  base::UidSet uids;
  bool operator==(const VanishedData&) const = default;
};
struct IdData {
  IdParams params;
  bool operator==(const IdData&) const = default;
};
// Something well-formed enough to be a line that we do not know: ignored by clients.
struct UnknownData {
  std::string text;  // after "* "
  bool operator==(const UnknownData&) const = default;
};

using Response = std::variant<Status, Continuation, CapabilityData, EnabledData, FlagsData, ExistsData, RecentData,
                              ExpungeData, VanishedData, FetchData, ListData, StatusData, SearchData, EsearchData,
                              NamespaceData, IdData, UnknownData>;

base::Result<Response> parse_response(const Frame& frame, const Leniency& leniency = {});

// Each writes the whole line with "* " and CRLF.
void write_line(Writer& w, const Status& s);
void write_line(Writer& w, const Continuation& d);
void write_line(Writer& w, const CapabilityData& d);
void write_line(Writer& w, const EnabledData& d);
void write_line(Writer& w, const FlagsData& d);
void write_line(Writer& w, const ExistsData& d);
void write_line(Writer& w, const RecentData& d);
void write_line(Writer& w, const ExpungeData& d);
void write_line(Writer& w, const VanishedData& d);
void write_line(Writer& w, const FetchData& d, std::span<const Literal> literals = {});
void write_line(Writer& w, const ListData& d);
void write_line(Writer& w, const StatusData& d);
void write_line(Writer& w, const SearchData& d);
void write_line(Writer& w, const EsearchData& d);
void write_line(Writer& w, const NamespaceData& d);
void write_line(Writer& w, const IdData& d);
void write_line(Writer& w, const UnknownData& d);
void write_response(Writer& w, const Response& r, std::span<const Literal> literals = {});

}  // namespace wire::imap
