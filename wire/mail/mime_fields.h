// Values of the MIME fields: RFC 2045 5.1, RFC 2183, RFC 3282, with RFC 2231 left as it stands (`name*` is a
// parameter's name) or decoded on demand. Any thread; values own their text. Received mail is read leniently; a
// Content-Type that gives no type and subtype is no Content-Type (RFC 2045 5.2 then says text/plain, or message/rfc822
// in a digest).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wire::mail {

struct Parameter {
  std::string name;   // as written
  std::string value;  // without quotes and escapes
  bool operator==(const Parameter&) const = default;
};
using Parameters = std::vector<Parameter>;

struct ContentType {
  std::string type;     // as written
  std::string subtype;  // as written
  Parameters parameters;

  bool is(std::string_view wanted_type) const;
  bool is(std::string_view wanted_type, std::string_view wanted_subtype) const;
};

struct Disposition {
  std::string type;
  Parameters parameters;
};

// Where the MIME fields of a header are, folded as they stand; of repeated ones the first.
struct MimeFields {
  std::optional<std::string_view> type, transfer_encoding, id, description, md5, disposition, language, location;
};
MimeFields find_mime_fields(std::string_view header);

std::optional<ContentType> parse_content_type(std::string_view value);
std::optional<Disposition> parse_disposition(std::string_view value);
std::vector<std::string> parse_language(std::string_view value);
// The token that the value is, comments skipped ("7bit"); empty if it is none or more than one.
std::string parse_token(std::string_view value);

// The value of the first parameter with this very name, in any case.
std::optional<std::string> find_parameter(const Parameters& parameters, std::string_view name);
// The same with continuations and charsets of RFC 2231 and, as many senders do, RFC 2047 words inside: UTF-8.
std::optional<std::string> decode_parameter(const Parameters& parameters, std::string_view name);

}  // namespace wire::mail
