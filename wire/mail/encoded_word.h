// RFC 2047 encoded words to UTF-8, with RFC 2231's language suffix. Any thread; never fails: what is malformed stays as
// it is written. Raw 8-bit text is taken as UTF-8 where valid, else as windows-1252.
#pragma once

#include <string>
#include <string_view>

namespace wire::mail {

// Of an unfolded or folded field value; line breaks become spaces.
std::string decode_header_text(std::string_view value);

}  // namespace wire::mail
