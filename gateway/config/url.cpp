#include "gateway/config/url.h"

#include <charconv>

namespace gateway::config {

using wire::base::Errc;
using wire::base::Failure;

wire::base::Result<HostPort> split_host_port(std::string_view text, uint16_t default_port) {
  HostPort out;
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return Failure(Errc::malformed, "the bracket is not closed");
    out.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    const size_t colon = text.find(':');
    out.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    if (rest.find(':', 1) != std::string_view::npos) {
      return Failure(Errc::malformed, "an IPv6 address goes in brackets");
    }
  }
  for (const char c : out.host) {
    if (c <= ' ' || c == 0x7f || c == '/' || c == '@') return Failure(Errc::malformed, "this is not a host name");
  }
  if (out.host.empty()) return Failure(Errc::malformed, "the host is missing");
  if (rest.empty()) {
    if (default_port == 0) return Failure(Errc::malformed, "the port is missing");
    out.port = default_port;
    return out;
  }
  if (rest[0] != ':') return Failure(Errc::malformed, "only a port may follow the bracket");
  rest.remove_prefix(1);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out.port);
  if (error != std::errc() || end != rest.data() + rest.size() || rest.empty()) {
    return Failure(Errc::malformed, "the port is not a number up to 65535");
  }
  return out;
}

}  // namespace gateway::config
