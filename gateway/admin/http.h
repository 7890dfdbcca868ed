// HTTP/1.1 over a Stream, both sides, as much as the admin socket needs: a bounded JSON body in, lines of JSON out,
// chunked as they come. Beast parses; it is seen in http.cpp only. On the stream's thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "wire/net/stream.h"

namespace gateway::admin {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

inline constexpr size_t max_body_bytes = 1 << 20;

struct HttpRequest {
  std::string method, target, body;
  bool keep_alive = true;
};

// Reads the next request. nullopt: the client is done. `pending` is what was read beyond it; the caller keeps it.
awaitable<Result<std::optional<HttpRequest>>> read_request(wire::net::Stream& stream, std::string& pending,
                                                           wire::net::Timeout timeout);

// One body of JSON.
awaitable<Result<>> write_reply(wire::net::Stream& stream, int status, std::string body, bool keep_alive,
                                wire::net::Timeout timeout);

// 200 with lines that follow as chunks: head, any number of chunks, end.
awaitable<Result<>> write_stream_head(wire::net::Stream& stream, bool keep_alive, wire::net::Timeout timeout);
awaitable<Result<>> write_stream_chunk(wire::net::Stream& stream, std::string line, wire::net::Timeout timeout);
awaitable<Result<>> write_stream_end(wire::net::Stream& stream, wire::net::Timeout timeout);

// The client: posts a body and hands over each line of the answer as it arrives. The result is the HTTP status.
using OnLine = std::function<void(std::string_view line)>;
awaitable<Result<int>> post(wire::net::Stream& stream, std::string target, std::string body, OnLine on_line,
                            wire::net::Timeout timeout);

}  // namespace gateway::admin
