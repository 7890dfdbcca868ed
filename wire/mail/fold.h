// The casemap that SEARCH, SORT and THREAD compare with, by ICU's tables. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wire::mail {

// RFC 5051 i;unicode-casemap as near as ICU gives it: simple titlecase of each character, then NFKD, then ASCII letters
// once more, so that "fi" written as one character matches "FI". Two texts match
// without regard to case if their folded forms are equal; a substring if one contains the other. Runs of white space
// become one space, so that a phrase is found across a line break.
std::string fold(std::string_view utf8);
// The same, appended; `utf8` is not part of `out`.
void fold_to(std::string& out, std::string_view utf8);

// What fold() and to_utf8() give depends on it: text that was folded under another number is to be folded again.
uint32_t text_version();

// Both already folded. An empty needle is in everything.
bool contains(std::string_view haystack_folded, std::string_view needle_folded);

bool is_ascii(std::string_view text);

}  // namespace wire::mail
