#include "wire/net/connect.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include "wire/net/deadline.h"
#include "wire/net/socket_address.h"
#include "wire/net/socket_stream.h"

namespace wire::net {

namespace {

awaitable<Result<std::vector<SocketAddress>>> resolve(std::string host, uint16_t port) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  std::vector<SocketAddress> out;
  SocketAddress direct;
  if (numeric(host, port, direct)) {
    out.push_back(direct);
    co_return out;
  }
  asio::ip::tcp::resolver resolver(executor);
  boost::system::error_code ec;
  const std::string service = std::to_string(port);
  const auto found = co_await resolver.async_resolve(host, service, asio::redirect_error(asio::use_awaitable, ec));
  for (const auto& entry : found) {
    SocketAddress a;
    const auto endpoint = entry.endpoint();
    std::memcpy(&a.storage, endpoint.data(), endpoint.size());
    a.size = static_cast<socklen_t>(endpoint.size());
    out.push_back(a);
  }
  if (out.empty()) co_return Failure(Errc::not_found, "no address of " + host + ": " + ec.message());
  co_return out;
}

awaitable<Result<StreamPtr>> connect_one(SocketAddress to, bool quick_ack, Timeout timeout) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) co_return os_failure("socket");
  auto stream = std::make_unique<SocketStream>(executor, fd, quick_ack && to.family() != AF_UNIX);
  if (::connect(fd, to.get(), to.size) != 0) {
    if (errno != EINPROGRESS) co_return Failure(Errc::unavailable, std::strerror(errno));
    const Result<> connected = co_await stream->finish_connect(timeout);
    if (!connected) co_return connected.error();
  }
  if (to.family() != AF_UNIX) {
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
  }
  stream->set_peer(to_address(to));
  stream->set_local(local_of(fd));
  co_return StreamPtr(std::move(stream));
}

awaitable<Result<StreamPtr>> connect_any(ConnectOptions options) {
  std::vector<SocketAddress> addresses;
  if (options.host.starts_with("unix:")) {
    Result<SocketAddress> a = unix_address(options.host.substr(5));
    if (!a) co_return a.error();
    addresses.push_back(*a);
  } else {
    Result<std::vector<SocketAddress>> found = co_await resolve(options.host, options.port);
    if (!found) co_return found.error();
    addresses = std::move(*found);
  }
  std::string why;
  for (const SocketAddress& address : addresses) {
    Result<StreamPtr> made = co_await connect_one(address, options.quick_ack, options.per_address);
    if (made) co_return made;
    why += (why.empty() ? "" : "; ") + to_address(address).to_string() + ": " + made.error().note;
  }
  co_return Failure(Errc::unavailable, "cannot connect: " + why);
}

}  // namespace

awaitable<Result<StreamPtr>> connect(ConnectOptions options) {
  if (options.host.empty() || options.host.find('\0') != std::string::npos) {
    co_return Failure(Errc::usage, "no host to connect to");
  }
  const std::string where = options.host;
  const Timeout timeout = options.timeout;
  awaitable<Result<StreamPtr>> attempt = connect_any(std::move(options));
  Result<StreamPtr> made = co_await with_deadline(timeout, std::move(attempt));
  if (!made && made.error().code == Errc::timeout) {
    co_return Failure(Errc::unavailable, "cannot connect to " + where + " in time");
  }
  co_return made;
}

StreamPtr adopt_socket(asio::any_io_executor executor, int fd, bool quick_ack) {
  auto stream = std::make_unique<SocketStream>(std::move(executor), fd, quick_ack);
  stream->set_peer(peer_of(fd));
  stream->set_local(local_of(fd));
  return stream;
}

Result<std::pair<StreamPtr, StreamPtr>> stream_pair(asio::any_io_executor a, asio::any_io_executor b) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) return os_failure("socketpair");
  StreamPtr first = adopt_socket(std::move(a), fds[0], false);
  StreamPtr second = adopt_socket(std::move(b), fds[1], false);
  return std::make_pair(std::move(first), std::move(second));
}

Result<Address> parse_address(std::string_view text) {
  Address out;
  if (text.starts_with("unix:")) {
    out.unix_path = true;
    out.host = text.substr(5);
    if (out.host.empty()) return Failure(Errc::usage, "an empty socket path");
    return out;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Failure(Errc::usage, "an address needs a port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (ec != std::errc() || end != port.data() + port.size()) return Failure(Errc::usage, "not a port number");
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  out.host = host;
  SocketAddress ignored;
  if (out.host != "*" && !numeric(out.host, out.port, ignored)) return Failure(Errc::usage, "not a numeric address");
  return out;
}

}  // namespace wire::net
