// Charsets to UTF-8 and the casemap used by SEARCH, both by ICU. Any thread; converters are cached per thread.
// Tolerant: bytes that are invalid in a charset become U+FFFD; an unknown charset is read as UTF-8 where that is valid,
// else as windows-1252 (what unlabelled western mail is in practice).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wire::mail {

bool known_charset(std::string_view name);
bool valid_utf8(std::string_view text);
std::string to_utf8(std::string_view bytes, std::string_view charset);

// RFC 5051 i;unicode-casemap as near as ICU gives it: simple titlecase of each character, then NFKD, then ASCII letters
// once more, so that "fi" written as one character matches "FI". Two texts match
// without regard to case if their folded forms are equal; a substring if one contains the other. Runs of white space
// become one space, so that a phrase is found across a line break.
std::string fold(std::string_view utf8);

// What fold() and to_utf8() give depends on it: text that was folded under another number is to be folded again.
uint32_t text_version();

// Both already folded. An empty needle is in everything.
bool contains(std::string_view haystack_folded, std::string_view needle_folded);

}  // namespace wire::mail
