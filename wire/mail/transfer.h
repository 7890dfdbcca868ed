// Content-Transfer-Encoding decoders (RFC 2045 6.7, 6.8) for reading, not for byte-exact answers: they skip what does
// not belong, never fail, and stop once `max_output` octets were made. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wire::mail {

enum class TransferEncoding { identity, base64, quoted_printable, unknown };

TransferEncoding transfer_encoding(std::string_view field_value);

std::string decode_base64(std::string_view text, size_t max_output);
// `header` reads "_" as a space and has no soft line breaks: the "Q" encoding of RFC 2047.
std::string decode_quoted_printable(std::string_view text, size_t max_output, bool header = false);
std::string decode_transfer(std::string_view body, TransferEncoding encoding, size_t max_output);

}  // namespace wire::mail
