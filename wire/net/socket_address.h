// sockaddr and Address, converted. Values only; any thread. For the .cpp files of this folder.
#pragma once

#include <sys/socket.h>

#include <string>

#include "wire/net/stream.h"

namespace wire::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// With errno's text.
Failure os_failure(const std::string& doing);

// False: the host is not a numeric IPv4 or IPv6 address.
bool numeric(const std::string& host, uint16_t port, SocketAddress& out);
Result<SocketAddress> unix_address(const std::string& path);
Address to_address(const SocketAddress& a);
Address peer_of(int fd);
Address local_of(int fd);

}  // namespace wire::net
