#include "wire/net/socket_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <boost/asio/cancellation_state.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace wire::net {

namespace {
constexpr size_t tls_record = 16 * 1024;
constexpr size_t max_pieces = 64;  // a call's iovec; more pieces take more calls
// A peer that always has bytes ready must not keep its core: after so many calls the others have their turn.
constexpr uint8_t max_immediate = 16;
// More than this before a handshake or after our end is not a peer worth reading on for.
constexpr size_t max_discarded = 1024 * 1024;
}  // namespace

SocketStream::SocketStream(asio::any_io_executor executor, int fd, bool quick_ack)
    : executor_(executor),
      fd_(fd),
      read_waiter_(Wheel::of(executor), *this),
      write_waiter_(Wheel::of(executor), *this),
      quick_ack_(quick_ack) {
  descriptor_.emplace(executor, fd);
}

SocketStream::~SocketStream() { close(); }

void SocketStream::Waiter::expired() {
  fired = true;
  boost::system::error_code ignored;
  stream_.descriptor_->cancel(ignored);  // wakes the other side too, which waits again
}

void SocketStream::close() {
  if (closed_) return;
  closed_ = true;
  boost::system::error_code ignored;
  descriptor_->close(ignored);
}

Stream::PeerState SocketStream::peer_state() const {
  if (closed_) return PeerState::gone;
  pollfd p{fd_, POLLRDHUP, 0};
  if (::poll(&p, 1, 0) <= 0) return PeerState::there;
  return (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 ? PeerState::gone : PeerState::ended;
}

void SocketStream::rebind(asio::any_io_executor executor) {
  if (closed_) return;
  Wheel& wheel = Wheel::of(executor);
  read_waiter_.move_to(wheel);
  write_waiter_.move_to(wheel);
  descriptor_->release();
  executor_ = executor;
  descriptor_.emplace(executor, fd_);
}

std::string SocketStream::tls_info() const {
  if (!ssl_) return {};
  return std::string(SSL_get_version(ssl_.get())) + ' ' + SSL_get_cipher_name(ssl_.get());
}

Failure SocketStream::closed_failure() const { return Failure(Errc::closed, "the connection is closed"); }

Failure SocketStream::failure_of(const Step& step, const char* doing) const {
  if (step.error == ECONNRESET || step.error == EPIPE || step.error == ENOTCONN) {
    return Failure(Errc::closed, "the peer broke the connection");
  }
  if (step.error != 0) return Failure(Errc::io, std::string(doing) + ": " + std::strerror(step.error));
  const unsigned long code = ERR_get_error();
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  return Failure(Errc::closed, std::string(doing) + ": TLS failed: " + (reason ? reason : "unknown"));
}

awaitable<Result<>> SocketStream::wait(Step::Kind kind, Waiter& waiter, Timeout timeout) {
  immediate_ = 0;
  waiter.fired = false;
  waiter.set(timeout);
  const auto type =
      kind == Step::want_write ? asio::posix::descriptor_base::wait_write : asio::posix::descriptor_base::wait_read;
  for (;;) {
    if (closed_) co_return closed_failure();
    boost::system::error_code ec;
    co_await descriptor_->async_wait(type, asio::redirect_error(asio::use_awaitable, ec));
    if (closed_) co_return closed_failure();
    if (!ec) break;
    if (waiter.fired) co_return Failure(Errc::timeout, "the peer did not answer in time");
    if (ec != asio::error::operation_aborted) co_return Failure(Errc::io, "wait: " + ec.message());
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return Failure(Errc::closed, "cancelled");
    // The other direction's deadline cancelled both.
  }
  waiter.clear();
  co_return Result<>();
}

SocketStream::Step SocketStream::receive(std::span<char> into) {
  for (;;) {
    const ssize_t n = ::recv(fd(), into.data(), into.size(), 0);
    if (n >= 0) return Step{Step::done, static_cast<size_t>(n), 0};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Step{Step::want_read, 0, 0};
    return Step{Step::failed, 0, errno};
  }
}

SocketStream::Step SocketStream::tls_step(int returned) {
  const int saved = errno;
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      return Step{Step::want_read, 0, 0};
    case SSL_ERROR_WANT_WRITE:
      return Step{Step::want_write, 0, 0};
    case SSL_ERROR_ZERO_RETURN:
      return Step{Step::done, 0, 0};
    case SSL_ERROR_SYSCALL:
      return Step{Step::failed, 0, saved ? saved : ECONNRESET};
    default:
      return Step{Step::failed, 0, 0};
  }
}

// As many records as are there, up to the buffer: one record a call would cost a round of the caller per 16 KB.
SocketStream::Step SocketStream::tls_receive(std::span<char> into) {
  size_t got = 0;
  while (got < into.size()) {
    ERR_clear_error();
    size_t n = 0;
    const int r = SSL_read_ex(ssl_.get(), into.data() + got, into.size() - got, &n);
    if (r <= 0) {
      if (got > 0) break;  // an end or error is met again by the next call
      return tls_step(r);
    }
    got += n;
  }
  return Step{Step::done, got, 0};
}

awaitable<Result<size_t>> SocketStream::read_some(std::span<char> into, Timeout timeout) {
  if (++immediate_ > max_immediate) {
    immediate_ = 0;
    co_await asio::post(executor_, asio::use_awaitable);
  }
  for (;;) {
    if (closed_) co_return closed_failure();
    const Step step = ssl_ ? tls_receive(into) : receive(into);
    if (step.kind == Step::failed) co_return failure_of(step, "read");
    if (step.kind == Step::done) {
      bytes_read_ += step.bytes;
      if (quick_ack_ && step.bytes < into.size()) {
        const int one = 1;
        ::setsockopt(fd(), IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
      }
      co_return step.bytes;
    }
    const Result<> ready = co_await wait(step.kind, read_waiter_, timeout);
    if (!ready) co_return ready.error();
  }
}

awaitable<Result<>> SocketStream::wait_readable(Timeout timeout) {
  for (;;) {
    if (closed_) co_return closed_failure();
    Step::Kind kind = Step::want_read;
    if (ssl_) {
      // Peeking also swallows records that carry no data, so that they do not wake the session.
      ERR_clear_error();
      char byte;
      size_t n = 0;
      const int r = SSL_peek_ex(ssl_.get(), &byte, 1, &n);
      if (r > 0) co_return Result<>();
      kind = tls_step(r).kind;
      if (kind == Step::done || kind == Step::failed) co_return Result<>();
    }
    const Result<> ready = co_await wait(kind, read_waiter_, timeout);
    if (!ready) co_return ready.error();
    if (!ssl_) co_return Result<>();
  }
}

SocketStream::Step SocketStream::send(std::span<const std::string_view> pieces) {
  iovec vector[max_pieces];
  size_t count = 0;
  for (; count < std::min(pieces.size(), max_pieces); ++count) {
    vector[count] = iovec{const_cast<char*>(pieces[count].data()), pieces[count].size()};
  }
  msghdr message{};
  message.msg_iov = vector;
  message.msg_iovlen = count;
  for (;;) {
    const ssize_t n = ::sendmsg(fd(), &message, MSG_NOSIGNAL);
    if (n >= 0) return Step{Step::done, static_cast<size_t>(n), 0};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Step{Step::want_write, 0, 0};
    return Step{Step::failed, 0, errno};
  }
}

awaitable<Result<>> SocketStream::write_plain(std::span<const std::string_view> pieces, Timeout timeout) {
  size_t skip = 0;  // of the first piece
  while (!pieces.empty()) {
    if (closed_) co_return closed_failure();
    if (skip == pieces.front().size()) {
      pieces = pieces.subspan(1);
      skip = 0;
      continue;
    }
    const std::string_view rest = pieces.front().substr(skip);
    // A piece that was cut goes alone; the others follow together.
    const Step step = skip > 0 ? send(std::span<const std::string_view>(&rest, 1)) : send(pieces);
    if (step.kind == Step::failed) co_return failure_of(step, "write");
    if (step.kind != Step::done) {
      const Result<> ready = co_await wait(step.kind, write_waiter_, timeout);
      if (!ready) co_return ready.error();
      continue;
    }
    bytes_written_ += step.bytes;
    size_t sent = step.bytes;
    while (sent > 0) {
      const size_t left = pieces.front().size() - skip;
      if (sent < left) {
        skip += sent;
        break;
      }
      sent -= left;
      skip = 0;
      pieces = pieces.subspan(1);
    }
  }
  co_return Result<>();
}

awaitable<Result<>> SocketStream::write_tls(std::string_view bytes, Timeout timeout) {
  while (!bytes.empty()) {
    if (closed_) co_return closed_failure();
    ERR_clear_error();
    size_t n = 0;
    const int r = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n);
    if (r > 0) {
      bytes_written_ += n;
      bytes.remove_prefix(n);
      continue;
    }
    const Step step = tls_step(r);
    if (step.kind == Step::done) co_return Failure(Errc::closed, "the peer closed the connection");
    if (step.kind == Step::failed) co_return failure_of(step, "write");
    const Result<> ready = co_await wait(step.kind, write_waiter_, timeout);
    if (!ready) co_return ready.error();
  }
  co_return Result<>();
}

awaitable<Result<>> SocketStream::write_all(std::span<const std::string_view> pieces, Timeout timeout) {
  if (++immediate_ > max_immediate) {
    immediate_ = 0;
    co_await asio::post(executor_, asio::use_awaitable);
  }
  if (!ssl_) co_return co_await write_plain(pieces, timeout);
  std::string record;  // small pieces share one
  for (size_t i = 0; i < pieces.size();) {
    if (pieces.size() == 1 || pieces[i].size() >= tls_record) {
      const Result<> r = co_await write_tls(pieces[i++], timeout);
      if (!r) co_return r.error();
      continue;
    }
    record.clear();
    while (i < pieces.size() && record.size() + pieces[i].size() <= tls_record) record += pieces[i++];
    const Result<> r = co_await write_tls(record, timeout);
    if (!r) co_return r.error();
  }
  co_return Result<>();
}

// Swallows what is there. False: the peer has ended its side.
Result<bool> SocketStream::discard_received() {
  char scratch[4096];
  for (size_t total = 0; total <= max_discarded;) {
    const Step step = receive(scratch);
    if (step.kind == Step::want_read) return true;
    if (step.kind == Step::failed) return failure_of(step, "read");
    if (step.bytes == 0) return false;
    total += step.bytes;
  }
  return Failure(Errc::limit, "too many bytes that nobody wants");
}

awaitable<Result<>> SocketStream::handshake(bool server, std::string server_name, Timeout timeout) {
  Wheel& wheel = Wheel::of(executor_);
  const Timeout start = wheel.now();
  SSL_set_fd(ssl_.get(), fd());
  for (;;) {
    if (closed_) co_return closed_failure();
    ERR_clear_error();
    const int r = server ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get());
    if (r == 1) co_return Result<>();
    const Step step = tls_step(r);
    if (step.kind == Step::failed || step.kind == Step::done) {
      Failure failure = step.error != 0 ? Failure(Errc::closed, "the peer broke the connection in the TLS handshake")
                                        : describe_handshake_failure(ssl_.get(), server, server_name);
      close();
      co_return failure;
    }
    Timeout left = timeout;  // of the whole handshake: a peer that trickles bytes gets no more
    if (timeout != no_timeout) left = std::max(Timeout(0), timeout - (wheel.now() - start));
    const Result<> ready = co_await wait(step.kind, read_waiter_, left);
    if (!ready) {
      close();
      co_return ready.error();
    }
  }
}

awaitable<Result<>> SocketStream::start_tls_server(std::shared_ptr<const TlsServer> tls, std::string reply,
                                                   Timeout timeout) {
  if (ssl_) co_return Failure(Errc::usage, "TLS is on already");
  if (closed_) co_return closed_failure();
  if (!reply.empty()) {
    // Whatever follows the STARTTLS command in plain text is somebody else's or a mistake. What comes later than this
    // fails the handshake.
    const Result<bool> clean = discard_received();
    if (!clean) co_return clean.error();
    const Result<> sent = co_await Stream::write_all(reply, timeout);
    if (!sent) co_return sent.error();
  }
  Result<SslPtr> session = tls->new_session();
  if (!session) co_return session.error();
  ssl_ = std::move(*session);
  co_return co_await handshake(true, std::string(), timeout);
}

awaitable<Result<>> SocketStream::start_tls_client(std::shared_ptr<const TlsClient> tls, std::string server_name,
                                                   Timeout timeout) {
  if (ssl_) co_return Failure(Errc::usage, "TLS is on already");
  if (closed_) co_return closed_failure();
  // A TLS server is silent until our hello: what is there now is plain text that nobody may believe.
  const Result<bool> clean = discard_received();
  if (!clean) co_return clean.error();
  Result<SslPtr> session = tls->new_session(server_name);
  if (!session) co_return session.error();
  ssl_ = std::move(*session);
  co_return co_await handshake(false, std::move(server_name), timeout);
}

awaitable<void> SocketStream::shutdown(Timeout timeout) {
  if (closed_) co_return;
  if (ssl_ && SSL_is_init_finished(ssl_.get())) {
    ERR_clear_error();
    const int r = SSL_shutdown(ssl_.get());
    if (r < 0 && tls_step(r).kind == Step::want_write) {
      const Result<> ready = co_await wait(Step::want_write, write_waiter_, timeout);
      if (ready) SSL_shutdown(ssl_.get());
    }
    ERR_clear_error();
  }
  if (closed_) co_return;
  ::shutdown(fd(), SHUT_WR);
  // Closing with unread bytes would send RST, and the peer might lose our last words: read on until its end.
  while (!closed_) {
    const Result<bool> more = discard_received();
    if (!more || !*more) break;
    const Result<> ready = co_await wait(Step::want_read, read_waiter_, timeout);
    if (!ready) break;
  }
  close();
}

awaitable<Result<>> SocketStream::finish_connect(Timeout timeout) {
  const Result<> ready = co_await wait(Step::want_write, write_waiter_, timeout);
  if (!ready) co_return ready.error();
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) co_return Failure(Errc::unavailable, std::strerror(error));
  co_return Result<>();
}

}  // namespace wire::net
