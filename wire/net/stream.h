// A virtual asynchronous byte stream: TCP, TLS on it, a Unix socket, or a test's script. Sessions and clients know
// nothing else.
//
// A stream lives on the one thread of its executor's io_context. At most one read-side call (read_some, wait_readable)
// and one write-side call may be under way, and they may overlap. The stream must outlive every call under way: close()
// first, await the calls, then destroy. Spans and views given to a call must live until it returns. Errors: timeout (no
// progress for that long), closed (the peer or our close()), io; TLS ones say what is wrong with the certificate. After
// any error but timeout only close() makes sense. A cancelled task sees closed, and its next co_await throws.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "wire/base/failure.h"
#include "wire/net/asio.h"

namespace wire::net {

using base::Errc;
using base::Failure;
using base::Result;

// How long a call may go on without any progress; rounded up to the wheel's tick (wheel.h).
using Timeout = std::chrono::milliseconds;
inline constexpr Timeout no_timeout = Timeout::max();

class TlsServer;
class TlsClient;

struct Address {
  std::string host;  // numeric; the path of a Unix socket, empty if unnamed
  uint16_t port = 0;
  bool unix_path = false;         // a Unix socket
  std::string to_string() const;  // "127.0.0.1:143", "[::1]:143", "unix:/run/x"
  bool operator==(const Address&) const = default;
};

class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  // At least one byte; 0 at the peer's orderly end.
  virtual awaitable<Result<size_t>> read_some(std::span<char> into, Timeout timeout = no_timeout) = 0;

  // Until a read_some would return at once (bytes, end or error): for idle sessions, which hold no buffer meanwhile.
  virtual awaitable<Result<>> wait_readable(Timeout timeout = no_timeout) = 0;

  // All pieces in order. Small pieces leave in one packet or TLS record.
  virtual awaitable<Result<>> write_all(std::span<const std::string_view> pieces, Timeout timeout = no_timeout) = 0;
  awaitable<Result<>> write_all(std::string_view bytes, Timeout timeout = no_timeout);

  // STARTTLS at a server (RFC 3501 6.2.1): what the peer sent so far is discarded, `reply` goes out in plain text, then
  // the handshake. An empty reply: implicit TLS, nothing is discarded. The caller drops its own read buffer before.
  virtual awaitable<Result<>> start_tls_server(std::shared_ptr<const TlsServer> tls, std::string reply,
                                               Timeout timeout) = 0;

  // At a client: what the peer sent so far in plain text is discarded, then the handshake. The caller drops its own
  // read buffer before. `server_name`: the host name or numeric address that the certificate must be for.
  virtual awaitable<Result<>> start_tls_client(std::shared_ptr<const TlsClient> tls, std::string server_name,
                                               Timeout timeout) = 0;

  // Orderly end: TLS close_notify and FIN after all that was written. The stream is closed afterwards in any case.
  virtual awaitable<void> shutdown(Timeout timeout) = 0;

  // What is known of the peer without reading: `ended` is its orderly end, after which it may still read; `gone`, that
  // it does not. For long work, to ask now and then.
  enum class PeerState : uint8_t { there, ended, gone };
  virtual PeerState peer_state() const { return PeerState::there; }

  // At once. Calls under way return Errc::closed. Idempotent.
  virtual void close() = 0;
  virtual bool is_open() const = 0;

  // Moves the live stream, TLS state included, to another io_context. No call may be under way; afterwards it belongs
  // to the other thread (whoever posts it there gives the ordering).
  virtual void rebind(asio::any_io_executor executor) = 0;
  virtual asio::any_io_executor executor() const = 0;

  virtual bool is_tls() const = 0;
  virtual std::string tls_info() const = 0;  // "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty without TLS

  const Address& peer() const { return peer_; }
  const Address& local() const { return local_; }
  void set_local(Address a) { local_ = std::move(a); }
  void set_peer(Address a) { peer_ = std::move(a); }  // as a trusted proxy tells (PROXY protocol)

  uint64_t bytes_read() const { return bytes_read_; }        // of application data
  uint64_t bytes_written() const { return bytes_written_; }  // of application data

 protected:
  Address peer_, local_;
  uint64_t bytes_read_ = 0;
  uint64_t bytes_written_ = 0;
};

using StreamPtr = std::unique_ptr<Stream>;

}  // namespace wire::net
