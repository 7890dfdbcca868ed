#include "wire/net/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace wire::net {

Failure os_failure(const std::string& doing) { return Failure(Errc::io, doing + ": " + std::strerror(errno)); }

bool numeric(const std::string& host, uint16_t port, SocketAddress& out) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out.size = sizeof *v4;
    return true;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out.size = sizeof *v6;
    return true;
  }
  return false;
}

Result<SocketAddress> unix_address(const std::string& path) {
  SocketAddress out;
  auto* un = reinterpret_cast<sockaddr_un*>(&out.storage);
  if (path.empty() || path.size() >= sizeof un->sun_path) return Failure(Errc::usage, "bad socket path " + path);
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.c_str(), path.size() + 1);
  out.size = sizeof *un;
  return out;
}

Address to_address(const SocketAddress& a) {
  char text[INET6_ADDRSTRLEN] = "";
  Address out;
  if (a.family() == AF_UNIX) {
    out.unix_path = true;
    if (a.size > offsetof(sockaddr_un, sun_path)) {
      const auto* un = reinterpret_cast<const sockaddr_un*>(&a.storage);
      out.host.assign(un->sun_path, strnlen(un->sun_path, a.size - offsetof(sockaddr_un, sun_path)));
    }
    return out;
  }
  if (a.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&a.storage);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    out.port = ntohs(v4->sin_port);
  } else if (a.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&a.storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    out.port = ntohs(v6->sin6_port);
  }
  out.host = text;
  // An IPv4 client of an IPv6 listener is an IPv4 client.
  if (out.host.starts_with("::ffff:") && out.host.find('.') != std::string::npos) out.host.erase(0, 7);
  return out;
}

Address peer_of(int fd) {
  SocketAddress a;
  a.size = sizeof a.storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&a.storage), &a.size) != 0) return {};
  return to_address(a);
}

Address local_of(int fd) {
  SocketAddress a;
  a.size = sizeof a.storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&a.storage), &a.size) != 0) return {};
  return to_address(a);
}

}  // namespace wire::net
