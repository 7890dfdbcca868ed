#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "wire/net/connect.h"
#include "wire/net/socket_address.h"

namespace wire::net {

namespace {

constexpr int backlog = 4096;
// With no descriptor or memory left, accepting at once again would only burn the core.
constexpr Timeout exhausted_pause{200};

class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// A socket file left behind by a dead process is replaced, one in use is not.
Result<> clear_stale_socket(const std::string& path, const SocketAddress& address) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) return {};
  if (!S_ISSOCK(st.st_mode)) return Failure(Errc::exists, path + " is there and is not a socket");
  const OwnedFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), address.get(), address.size) == 0) {
    return Failure(Errc::exists, path + " is in use by another process");
  }
  ::unlink(path.c_str());
  return {};
}

Result<SocketAddress> bind_address(const Address& address, bool& any) {
  any = address.host == "*";
  if (address.unix_path) return unix_address(address.host);
  SocketAddress out;
  const std::string host = any ? "::" : address.host;
  if (!numeric(host, address.port, out)) return Failure(Errc::usage, "not a numeric address: " + address.host);
  return out;
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(asio::any_io_executor executor, const Address& address,
                                                 unsigned mode) {
  bool any = false;
  Result<SocketAddress> at = bind_address(address, any);
  if (!at) return at.error();
  if (address.unix_path) {
    Result<> clear = clear_stale_socket(address.host, *at);
    if (!clear) return clear.error();
  }
  int fd = ::socket(at->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 && any && errno == EAFNOSUPPORT) {
    numeric("0.0.0.0", address.port, *at);
    fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  }
  OwnedFd owned(fd);
  if (fd < 0) return os_failure("socket");
  const int one = 1;
  if (!address.unix_path) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (at->family() == AF_INET6) {
    const int only = any ? 0 : 1;
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  if (::bind(fd, at->get(), at->size) != 0) return os_failure("listen on " + address.to_string());
  // Before listen(), so that nobody can connect under a wider mode.
  if (address.unix_path && ::chmod(address.host.c_str(), mode) != 0) return os_failure("chmod " + address.host);
  if (::listen(fd, backlog) != 0) return os_failure("listen on " + address.to_string());
  Address real = local_of(fd);
  if (any) real.host = "*";
  return std::unique_ptr<Listener>(new Listener(std::move(executor), owned.release(), std::move(real)));
}

Listener::Listener(asio::any_io_executor executor, int fd, Address address)
    : descriptor_(std::move(executor), fd), address_(std::move(address)) {}

Listener::~Listener() { close(); }

void Listener::close() {
  if (!descriptor_.is_open()) return;
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  if (address_.unix_path) ::unlink(address_.host.c_str());
}

awaitable<Result<StreamPtr>> Listener::accept() {
  const Failure closed(Errc::closed, "the listener is closed");
  for (;;) {
    if (!descriptor_.is_open()) co_return closed;
    const int fd = ::accept4(descriptor_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      const int one = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // no effect on a Unix socket
      ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
      co_return adopt_socket(descriptor_.get_executor(), fd, false);
    }
    switch (errno) {
      case EAGAIN: {
        boost::system::error_code ec;
        co_await descriptor_.async_wait(asio::posix::descriptor_base::wait_read,
                                        asio::redirect_error(asio::use_awaitable, ec));
        if (ec) co_return closed;
        break;
      }
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        co_await sleep_for(exhausted_pause);
        break;
      case EBADF:
      case EINVAL:
      case ENOTSOCK:
        co_return os_failure("accept");
      default:
        break;  // this connection failed before we took it: the next one
    }
  }
}

}  // namespace wire::net
