#include <algorithm>

#include "gateway/config/config.h"
#include "wire/base/flags.h"

namespace gateway::config {

namespace {

using wire::base::Errc;
using wire::base::Failure;

constexpr size_t max_user_bytes = 255;

// UTF-8 without control characters (C0, DEL, C1), surrogates and overlong forms.
bool printable_utf8(std::string_view s) {
  for (size_t i = 0; i < s.size();) {
    const auto lead = static_cast<uint8_t>(s[i]);
    const size_t length = lead < 0x80                   ? 1
                          : lead >= 0xc2 && lead < 0xe0 ? 2
                          : (lead >> 4) == 0xe          ? 3
                          : (lead >> 3) == 0x1e         ? 4
                                                        : 0;
    if (length == 0 || i + length > s.size()) return false;
    uint32_t code = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<uint8_t>(s[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | (next & 0x3f);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
    i += length;
  }
  return true;
}

}  // namespace

// Applied until nothing changes, so that the canonical form of a canonical user is itself.
Result<std::string> Config::canonical_user(std::string_view typed) const {
  if (typed.empty()) return Failure(Errc::malformed, "the user name is empty");
  if (typed.size() > max_user_bytes) return Failure(Errc::malformed, "the user name is longer than 255 bytes");
  if (!printable_utf8(typed)) return Failure(Errc::malformed, "the user name holds control characters or is not UTF-8");
  std::string local(typed), domain;
  if (canonical.lower_case) {
    for (char& c : local) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
  }
  size_t at = local.rfind('@');
  while (at != std::string::npos) {
    const std::string_view tail = std::string_view(local).substr(at + 1);
    const auto same = [tail](const std::string& d) { return wire::base::iequals(d, tail); };
    if (std::none_of(canonical.strip_domain.begin(), canonical.strip_domain.end(), same)) {
      domain = local.substr(at);
      local.resize(at);
      break;
    }
    local.resize(at);
    at = local.rfind('@');
  }
  if (!canonical.separator.empty()) {
    // A name that begins with the separator has no detail: it would have no user either.
    const size_t detail = local.find(canonical.separator);
    if (detail != std::string::npos && detail > 0) local.resize(detail);
  }
  if (local.empty()) return Failure(Errc::malformed, "the user name has nothing before its domain");
  return local + domain;
}

}  // namespace gateway::config
