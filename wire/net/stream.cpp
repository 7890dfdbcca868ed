#include "wire/net/stream.h"

namespace wire::net {

std::string Address::to_string() const {
  if (unix_path) return "unix:" + host;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

awaitable<Result<>> Stream::write_all(std::string_view bytes, Timeout timeout) {
  const std::span<const std::string_view> one(&bytes, 1);
  co_return co_await write_all(one, timeout);
}

}  // namespace wire::net
