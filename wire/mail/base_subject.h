// The base subject of RFC 5256 2.1, by which SORT and THREAD compare. Any thread; linear; never fails.
#pragma once

#include <string>
#include <string_view>

namespace wire::mail {

// `folded`: decoded, and folded by fold(), so that it is upper case with single spaces. `reply`: whether what was taken
// off says that the message is a reply or a forward (RFC 5256 3, REFERENCES step 5).
std::string_view base_subject(std::string_view folded, bool* reply = nullptr);

}  // namespace wire::mail
