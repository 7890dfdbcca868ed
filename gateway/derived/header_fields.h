// The fields of a header that ENVELOPE is made of, as SEARCH compares them, for messages whose other fields are asked
// of their bytes. What the envelope gives back letter for letter is not kept again. Values; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gateway::derived {

// Appends the blob. `envelope`: as write_envelope() wrote it.
void write_header_fields(std::string_view header, std::string_view envelope, std::string& out);

// What wire::mail::field_contains() says of the header. nullopt: this is none of the fields that are kept, or the blob
// is damaged; ask the message.
std::optional<bool> header_field_contains(std::string_view blob, std::string_view envelope, std::string_view name,
                                          std::string_view needle_folded);

}  // namespace gateway::derived
