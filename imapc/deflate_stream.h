// COMPRESS=DEFLATE (RFC 4978) over another stream: passes bytes through until switch_on(). Costs the server more CPU
// than anything else we ask of it, and us about 300 KB a connection: only for slow paths. The thread, lifetime and
// errors of the stream beneath; malformed: what the peer sends is not deflate.
#pragma once

#include <memory>
#include <utility>

#include "wire/net/stream.h"

namespace imapc {

class DeflateStream : public wire::net::Stream {
 public:
  using Timeout = wire::net::Timeout;
  template <class T = void>
  using Result = wire::base::Result<T>;

  explicit DeflateStream(wire::net::StreamPtr inner);
  ~DeflateStream() override;

  // After the tagged OK of COMPRESS, before anything else is written.
  Result<> switch_on();
  // True once after switch_on().
  bool just_switched() { return std::exchange(just_switched_, false); }

  awaitable<Result<size_t>> read_some(std::span<char> into, Timeout timeout) override;
  awaitable<Result<>> wait_readable(Timeout timeout) override;
  using Stream::write_all;
  awaitable<Result<>> write_all(std::span<const std::string_view> pieces, Timeout timeout) override;
  awaitable<Result<>> start_tls_server(std::shared_ptr<const wire::net::TlsServer> tls, std::string reply,
                                       Timeout timeout) override;
  awaitable<Result<>> start_tls_client(std::shared_ptr<const wire::net::TlsClient> tls, std::string server_name,
                                       Timeout timeout) override;
  awaitable<void> shutdown(Timeout timeout) override;
  void close() override { inner_->close(); }
  bool is_open() const override { return inner_->is_open(); }
  void rebind(asio::any_io_executor executor) override { inner_->rebind(executor); }
  asio::any_io_executor executor() const override { return inner_->executor(); }
  bool is_tls() const override { return inner_->is_tls(); }
  std::string tls_info() const override { return inner_->tls_info(); }

 private:
  struct Codec;
  // Decompresses what was read before; 0: more input is needed.
  Result<size_t> inflate_into(std::span<char> into);

  wire::net::StreamPtr inner_;
  std::unique_ptr<Codec> codec_;  // null: off
  bool just_switched_ = false;
};

}  // namespace imapc
