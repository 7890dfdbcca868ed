#include "imapc/deflate_stream.h"

#include <zlib.h>

#include <vector>

namespace imapc {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

namespace {
constexpr size_t buffer_size = 32 * 1024;
constexpr int raw_window = -15;  // RFC 4978: raw deflate, no header, the largest window
}  // namespace

struct DeflateStream::Codec {
  z_stream in{}, out{};
  bool in_ready = false, out_ready = false;
  bool pending = false;  // the inflater may have more output without more input
  std::vector<char> received = std::vector<char>(buffer_size);
  ~Codec() {
    if (in_ready) inflateEnd(&in);
    if (out_ready) deflateEnd(&out);
  }
};

DeflateStream::DeflateStream(wire::net::StreamPtr inner) : inner_(std::move(inner)) {
  set_peer(inner_->peer());
  set_local(inner_->local());
}

DeflateStream::~DeflateStream() = default;

Result<> DeflateStream::switch_on() {
  auto codec = std::make_unique<Codec>();
  codec->in_ready = inflateInit2(&codec->in, raw_window) == Z_OK;
  codec->out_ready =
      deflateInit2(&codec->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, raw_window, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  if (!codec->in_ready || !codec->out_ready) return Failure(Errc::internal, "COMPRESS: no memory");
  codec_ = std::move(codec);
  just_switched_ = true;
  return {};
}

Result<size_t> DeflateStream::inflate_into(std::span<char> into) {
  z_stream& z = codec_->in;
  z.next_out = reinterpret_cast<Bytef*>(into.data());
  z.avail_out = static_cast<uInt>(into.size());
  const int r = inflate(&z, Z_SYNC_FLUSH);
  const size_t got = into.size() - z.avail_out;
  // Z_BUF_ERROR: nothing to do without more input. A finished deflate stream has no place in RFC 4978.
  if (r != Z_OK && r != Z_BUF_ERROR) return Failure(Errc::malformed, "the server's compressed data are damaged");
  codec_->pending = z.avail_out == 0;
  return got;
}

awaitable<Result<size_t>> DeflateStream::read_some(std::span<char> into, Timeout timeout) {
  for (;;) {
    if (codec_ && (codec_->pending || codec_->in.avail_in > 0)) {
      const Result<size_t> got = inflate_into(into);
      if (!got) co_return got;
      bytes_read_ += *got;
      if (*got > 0) co_return got;
    }
    std::span<char> target = into;
    const bool compressed = codec_ != nullptr;
    if (compressed) target = std::span<char>(codec_->received);
    const Result<size_t> n = co_await inner_->read_some(target, timeout);
    if (!n || *n == 0) co_return n;
    if (!compressed) {
      bytes_read_ += *n;
      co_return n;
    }
    codec_->in.next_in = reinterpret_cast<Bytef*>(codec_->received.data());
    codec_->in.avail_in = static_cast<uInt>(*n);
  }
}

awaitable<Result<>> DeflateStream::wait_readable(Timeout timeout) {
  if (codec_ && (codec_->pending || codec_->in.avail_in > 0)) co_return Result<>();
  co_return co_await inner_->wait_readable(timeout);
}

awaitable<Result<>> DeflateStream::write_all(std::span<const std::string_view> pieces, Timeout timeout) {
  for (std::string_view piece : pieces) bytes_written_ += piece.size();
  if (!codec_) co_return co_await inner_->write_all(pieces, timeout);
  std::vector<char> buffer(buffer_size);
  z_stream& z = codec_->out;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool last = i + 1 == pieces.size();
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(pieces[i].data()));
    z.avail_in = static_cast<uInt>(pieces[i].size());
    do {
      z.next_out = reinterpret_cast<Bytef*>(buffer.data());
      z.avail_out = static_cast<uInt>(buffer.size());
      deflate(&z, last ? Z_SYNC_FLUSH : Z_NO_FLUSH);
      const std::string_view out(buffer.data(), buffer.size() - z.avail_out);
      if (out.empty()) break;
      const Result<> sent = co_await inner_->write_all(out, timeout);
      if (!sent) co_return sent;
    } while (z.avail_out == 0);
  }
  co_return Result<>();
}

awaitable<Result<>> DeflateStream::start_tls_server(std::shared_ptr<const wire::net::TlsServer> tls, std::string reply,
                                                    Timeout timeout) {
  return inner_->start_tls_server(std::move(tls), std::move(reply), timeout);
}

awaitable<Result<>> DeflateStream::start_tls_client(std::shared_ptr<const wire::net::TlsClient> tls,
                                                    std::string server_name, Timeout timeout) {
  return inner_->start_tls_client(std::move(tls), std::move(server_name), timeout);
}

awaitable<void> DeflateStream::shutdown(Timeout timeout) { return inner_->shutdown(timeout); }

}  // namespace imapc
