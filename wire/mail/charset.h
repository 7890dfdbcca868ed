// Charsets to UTF-8, by ICU. Any thread; converters are cached per thread.
// Tolerant: bytes that are invalid in a charset become U+FFFD; an unknown charset is read as UTF-8 where that is valid,
// else as windows-1252 (what unlabelled western mail is in practice).
#pragma once

#include <string>
#include <string_view>

namespace wire::mail {

bool known_charset(std::string_view name);
bool valid_utf8(std::string_view text);
// What to_utf8() would give back as it is, and is ASCII.
bool reads_as_ascii(std::string_view bytes, std::string_view charset);
std::string to_utf8(std::string_view bytes, std::string_view charset);

}  // namespace wire::mail
