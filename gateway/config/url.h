// "host:port" as configurations write it. Values only; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wire/base/failure.h"

namespace gateway::config {

struct HostPort {
  std::string host;  // without the brackets of an IPv6 address
  uint16_t port = 0;
};

// "127.0.0.1:143", "[::1]:143", "*:143", "mail.example.org". Without a port: default_port, or malformed if that is 0.
wire::base::Result<HostPort> split_host_port(std::string_view text, uint16_t default_port = 0);

}  // namespace gateway::config
