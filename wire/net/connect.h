// Making and accepting streams: TCP (IPv4, IPv6), Unix sockets, pairs for tests. The stream belongs to the executor
// given.
#pragma once

#include <functional>
#include <string>

#include "wire/net/stream.h"
#include "wire/net/wheel.h"

namespace wire::net {

struct ConnectOptions {
  std::string host;  // name, numeric address, or "unix:PATH"
  uint16_t port = 0;
  Timeout timeout{30'000};      // for everything
  Timeout per_address{10'000};  // so that one dead address leaves time for the others
  // Ask the kernel to acknowledge at once after each read that drained the socket: servers that write in small pieces
  // (Cyrus, Courier) otherwise wait 40 ms for our delayed ACK.
  bool quick_ack = true;
  explicit ConnectOptions(std::string h = {}, uint16_t p = 0) : host(std::move(h)), port(p) {}
};

// Tries every address of the name in the resolver's order. not_found: no such name; unavailable: nobody answers.
awaitable<Result<StreamPtr>> connect(ConnectOptions options);

// Two connected streams of this machine. TLS and rebind work on them.
Result<std::pair<StreamPtr, StreamPtr>> stream_pair(asio::any_io_executor a, asio::any_io_executor b);

// Takes ownership of a connected, non-blocking socket.
StreamPtr adopt_socket(asio::any_io_executor executor, int fd, bool quick_ack);

// "127.0.0.1:143", "[::1]:143", "*:143" (IPv6 and IPv4) or "unix:PATH".
Result<Address> parse_address(std::string_view text);

class Listener {
 public:
  // Port 0 takes a free one. For a Unix socket `mode` is the file's; a stale socket file of the same path is replaced.
  static Result<std::unique_ptr<Listener>> open(asio::any_io_executor executor, const Address& address,
                                                unsigned mode = 0600);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  const Address& address() const { return address_; }  // with the real port

  // The next connection, on the listener's executor (rebind() it elsewhere). Waits out a lack of descriptors or memory.
  // closed: the listener was closed.
  awaitable<Result<StreamPtr>> accept();

  void close();  // an accept under way returns closed; a Unix socket's file is removed

 private:
  Listener(asio::any_io_executor executor, int fd, Address address);
  asio::posix::stream_descriptor descriptor_;
  Address address_;
};

}  // namespace wire::net
