#include "gateway/admin/http.h"

#include <array>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <limits>

namespace gateway::admin {

namespace {

namespace http = boost::beast::http;
using wire::net::Stream;
using wire::net::Timeout;

constexpr uint32_t max_header_bytes = 16 * 1024;
constexpr size_t max_line_bytes = 64 << 20;  // a report with every mailbox of a large account

// Feeds the parser until `done` says so. False: an orderly end before the first byte.
template <class Parser, class Done>
awaitable<Result<bool>> feed(Stream& stream, std::string& pending, Parser& parser, Done done, Timeout timeout) {
  std::array<char, 16 * 1024> buffer;
  bool begun = false;
  while (!done()) {
    if (!pending.empty()) {
      boost::system::error_code ec;
      const size_t used = parser.put(asio::buffer(pending.data(), pending.size()), ec);
      pending.erase(0, used);
      begun = true;
      if (ec && ec != http::error::need_more) {
        co_return Failure(
            ec == http::error::body_limit || ec == http::error::header_limit ? Errc::limit : Errc::malformed,
            "HTTP: " + ec.message());
      }
      if (done()) break;
      if (!ec && used > 0 && !pending.empty()) continue;
    }
    Result<size_t> got = co_await stream.read_some(buffer, timeout);
    if (!got) co_return got.error();
    if (*got == 0) {
      if (!begun) co_return false;
      co_return Failure(Errc::closed, "HTTP: the connection ended within a message");
    }
    pending.append(buffer.data(), *got);
    if (pending.size() > max_header_bytes + max_body_bytes) co_return Failure(Errc::limit, "HTTP: too much at once");
  }
  co_return true;
}

std::string head(int status, bool keep_alive) {
  const char* reason = status == 200   ? "OK"
                       : status == 400 ? "Bad Request"
                       : status == 404 ? "Not Found"
                       : status == 405 ? "Method Not Allowed"
                       : status == 413 ? "Payload Too Large"
                       : status == 503 ? "Service Unavailable"
                                       : "Internal Server Error";
  return "HTTP/1.1 " + std::to_string(status) + " " + reason +
         "\r\nContent-Type: application/x-ndjson\r\nConnection: " + (keep_alive ? "keep-alive" : "close") + "\r\n";
}

}  // namespace

awaitable<Result<std::optional<HttpRequest>>> read_request(Stream& stream, std::string& pending, Timeout timeout) {
  http::request_parser<http::string_body> parser;
  parser.eager(true);
  parser.header_limit(max_header_bytes);
  parser.body_limit(max_body_bytes);
  auto done = [&parser] { return parser.is_done(); };
  Result<bool> fed = co_await feed(stream, pending, parser, done, timeout);
  if (!fed) co_return fed.error();
  if (!*fed) co_return std::optional<HttpRequest>();
  const auto& message = parser.get();
  HttpRequest out;
  out.method = std::string(message.method_string());
  out.target = std::string(message.target());
  out.keep_alive = message.keep_alive();
  out.body = std::move(parser.get().body());
  co_return std::optional<HttpRequest>(std::move(out));
}

awaitable<Result<>> write_reply(Stream& stream, int status, std::string body, bool keep_alive, Timeout timeout) {
  const std::string start = head(status, keep_alive) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  const std::array<std::string_view, 2> pieces{start, body};
  const std::span<const std::string_view> all(pieces);
  co_return co_await stream.write_all(all, timeout);
}

awaitable<Result<>> write_stream_head(Stream& stream, bool keep_alive, Timeout timeout) {
  const std::string start = head(200, keep_alive) + "Transfer-Encoding: chunked\r\n\r\n";
  co_return co_await stream.write_all(start, timeout);
}

awaitable<Result<>> write_stream_chunk(Stream& stream, std::string line, Timeout timeout) {
  constexpr char hex[] = "0123456789abcdef";
  std::string size;
  for (size_t n = line.size(); n != 0; n >>= 4) size.insert(size.begin(), hex[n & 15]);
  size += "\r\n";
  const std::array<std::string_view, 3> pieces{size, line, "\r\n"};
  const std::span<const std::string_view> all(pieces);
  co_return co_await stream.write_all(all, timeout);
}

awaitable<Result<>> write_stream_end(Stream& stream, Timeout timeout) {
  co_return co_await stream.write_all("0\r\n\r\n", timeout);
}

awaitable<Result<int>> post(Stream& stream, std::string target, std::string body, OnLine on_line, Timeout timeout) {
  const std::string start = "POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
                            "Connection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  const std::array<std::string_view, 2> pieces{start, body};
  const std::span<const std::string_view> all(pieces);
  Result<> sent = co_await stream.write_all(all, timeout);
  if (!sent) co_return sent.error();

  http::response_parser<http::string_body> parser;
  parser.eager(true);
  parser.header_limit(max_header_bytes);
  parser.body_limit(std::numeric_limits<uint64_t>::max());
  std::string line, pending;
  bool too_long = false;
  auto take = [&line, &on_line, &too_long](std::string_view bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const size_t end = bytes.find('\n', at);
      line.append(bytes.substr(at, end == std::string_view::npos ? end : end - at));
      too_long = too_long || line.size() > max_line_bytes;
      if (end == std::string_view::npos) break;
      on_line(line);
      line.clear();
      at = end + 1;
    }
  };
  // Body bytes are taken out after each feeding, so that lines are seen as they come and memory stays bounded.
  auto done = [&] {
    if (parser.is_header_done()) {
      std::string& got = parser.get().body();
      take(got);
      got.clear();
    }
    return parser.is_done() || too_long;
  };
  Result<bool> fed = co_await feed(stream, pending, parser, done, timeout);
  if (!fed) co_return fed.error();
  if (!*fed) co_return Failure(Errc::closed, "the server closed the admin socket without an answer");
  if (too_long) co_return Failure(Errc::limit, "a line of the answer is too long");
  if (!line.empty()) on_line(line);
  co_return parser.get().result_int();
}

}  // namespace gateway::admin
