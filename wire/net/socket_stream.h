// A Stream over a connected, non-blocking stream socket, with TLS on it once asked for. One class for both, because
// STARTTLS turns one into the other in place.
//
// Asio only waits for readiness; the bytes go straight between the caller's buffer and recv, sendmsg, SSL_read or
// SSL_write. So an idle TLS session costs about 15 KB instead of the 75 KB of Asio's own stream, and a plain one 2 KB.
#pragma once

#include "wire/net/stream.h"
#include "wire/net/tls.h"
#include "wire/net/wheel.h"

namespace wire::net {

class SocketStream final : public Stream {
 public:
  SocketStream(asio::any_io_executor executor, int fd, bool quick_ack);
  ~SocketStream() override;

  awaitable<Result<size_t>> read_some(std::span<char> into, Timeout timeout) override;
  awaitable<Result<>> wait_readable(Timeout timeout) override;
  using Stream::write_all;
  awaitable<Result<>> write_all(std::span<const std::string_view> pieces, Timeout timeout) override;
  awaitable<Result<>> start_tls_server(std::shared_ptr<const TlsServer> tls, std::string reply,
                                       Timeout timeout) override;
  awaitable<Result<>> start_tls_client(std::shared_ptr<const TlsClient> tls, std::string server_name,
                                       Timeout timeout) override;
  awaitable<void> shutdown(Timeout timeout) override;
  void close() override;
  bool is_open() const override { return !closed_; }
  PeerState peer_state() const override;
  void rebind(asio::any_io_executor executor) override;
  asio::any_io_executor executor() const override { return executor_; }
  bool is_tls() const override { return ssl_ != nullptr; }
  std::string tls_info() const override;

  // Of a socket whose connect() is under way: until it is connected.
  awaitable<Result<>> finish_connect(Timeout timeout);

 private:
  class Waiter : public WheelEntry {
   public:
    Waiter(Wheel& wheel, SocketStream& stream) : WheelEntry(wheel), stream_(stream) {}
    bool fired = false;

   private:
    void expired() override;
    SocketStream& stream_;
  };

  // What one attempt at the socket came to.
  struct Step {
    enum Kind : uint8_t { done, want_read, want_write, failed } kind;
    size_t bytes = 0;
    int error = 0;  // errno, or 0 with TLS
  };

  Step receive(std::span<char> into);
  Step send(std::span<const std::string_view> pieces);
  Step tls_step(int returned);
  Step tls_receive(std::span<char> into);
  Failure failure_of(const Step& step, const char* doing) const;
  Failure closed_failure() const;
  awaitable<Result<>> wait(Step::Kind kind, Waiter& waiter, Timeout timeout);
  awaitable<Result<>> write_plain(std::span<const std::string_view> pieces, Timeout timeout);
  awaitable<Result<>> write_tls(std::string_view bytes, Timeout timeout);
  awaitable<Result<>> handshake(bool server, std::string server_name, Timeout timeout);
  Result<bool> discard_received();
  int fd() const { return fd_; }

  asio::any_io_executor executor_;
  std::optional<asio::posix::stream_descriptor> descriptor_;  // engaged always; rebuilt by rebind()
  int fd_;
  SslPtr ssl_;
  Waiter read_waiter_, write_waiter_;
  bool quick_ack_;
  bool closed_ = false;
  uint8_t immediate_ = 0;  // calls in a row that did not have to wait
};

}  // namespace wire::net
