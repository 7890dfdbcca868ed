#include "gateway/admin/http.h"

#include <gtest/gtest.h>

#include <boost/asio/use_future.hpp>

#include "wire/net/connect.h"
#include "wire/net/tasks.h"

namespace gateway::admin {
namespace {

using wire::net::StreamPtr;
using wire::net::Timeout;

constexpr Timeout patience{10'000};

class Http : public testing::Test {
 protected:
  void SetUp() override {
    auto made = wire::net::stream_pair(context_.get_executor(), context_.get_executor());
    ASSERT_TRUE(made);
    client_ = std::move(made->first);
    server_ = std::move(made->second);
  }

  // Runs both sides to their end; exceptions come out.
  void run(awaitable<void> a, awaitable<void> b) {
    auto first = asio::co_spawn(context_, std::move(a), asio::use_future);
    auto second = asio::co_spawn(context_, std::move(b), asio::use_future);
    // Not run(): the wheel's timer outlives the deadlines that were not needed.
    const auto ready = [](auto& f) { return f.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
    while ((!ready(first) || !ready(second)) && context_.run_one() > 0) {
    }
    first.get();
    second.get();
  }

  asio::io_context context_{1};
  StreamPtr client_, server_;
};

awaitable<void> send_bytes(wire::net::Stream& s, std::string bytes, size_t piece) {
  for (size_t i = 0; i < bytes.size(); i += piece) {
    const std::string part = bytes.substr(i, piece);
    const Result<> sent = co_await s.write_all(part, patience);
    if (!sent) co_return;
  }
  co_await s.shutdown(patience);
}

struct Seen {
  std::vector<HttpRequest> requests;
  std::optional<Failure> failure;
};

awaitable<void> read_all(wire::net::Stream& s, Seen& seen) {
  std::string pending;
  for (;;) {
    Result<std::optional<HttpRequest>> r = co_await read_request(s, pending, patience);
    if (!r) {
      seen.failure = r.error();
      s.close();
      co_return;
    }
    if (!*r) break;
    seen.requests.push_back(std::move(**r));
  }
  s.close();
}

constexpr const char* two_requests =
    "POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    "POST /v1/user/add HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n";

TEST_F(Http, requests_arrive_whole_however_they_are_cut) {
  for (const size_t piece : {1u, 7u, 10'000u}) {
    SetUp();
    Seen seen;
    run(send_bytes(*client_, two_requests, piece), read_all(*server_, seen));
    ASSERT_FALSE(seen.failure) << seen.failure->describe();
    ASSERT_EQ(seen.requests.size(), 2u) << piece;
    EXPECT_EQ(seen.requests[0].target, "/v1/status");
    EXPECT_EQ(seen.requests[0].body, "{}");
    EXPECT_TRUE(seen.requests[0].keep_alive);
    EXPECT_EQ(seen.requests[1].body, "{\"a\":1}");
    EXPECT_FALSE(seen.requests[1].keep_alive);
  }
}

TEST_F(Http, bad_requests_are_refused) {
  struct Case {
    std::string bytes;
    Errc code;
  };
  const Case cases[] = {
      {"nonsense\r\n\r\n", Errc::malformed},
      {"POST /x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", Errc::limit},
      {"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", Errc::malformed},
      {"POST /x HTTP/1.1\r\nX: " + std::string(40'000, 'a') + "\r\n\r\n", Errc::limit},
      {"POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc", Errc::closed},
  };
  for (const Case& c : cases) {
    SetUp();
    Seen seen;
    run(send_bytes(*client_, c.bytes, 100'000), read_all(*server_, seen));
    ASSERT_TRUE(seen.failure) << c.bytes.substr(0, 60);
    EXPECT_EQ(seen.failure->code, c.code) << c.bytes.substr(0, 60) << ": " << seen.failure->describe();
    EXPECT_TRUE(seen.requests.empty());
  }
}

awaitable<void> answer_in_lines(wire::net::Stream& s) {
  std::string pending;
  const Result<std::optional<HttpRequest>> request = co_await read_request(s, pending, patience);
  if (!request || !*request) throw std::runtime_error("no request");
  (void)co_await write_stream_head(s, false, patience);
  for (const char* line : {"{\"progress\":1}\n", "{\"prog", "ress\":2}\n", "{\"exit\":0}\n"}) {
    (void)co_await write_stream_chunk(s, line, patience);
  }
  (void)co_await write_stream_end(s, patience);
  co_await s.shutdown(patience);
}

awaitable<void> ask(wire::net::Stream& s, std::vector<std::string>& lines, int& status) {
  const OnLine on_line = [&lines](std::string_view line) { lines.emplace_back(line); };
  const Result<int> got = co_await post(s, "/v1/sync", "{}", on_line, patience);
  status = got ? *got : -1;
  s.close();
}

TEST_F(Http, an_answer_arrives_line_by_line) {
  std::vector<std::string> lines;
  int status = 0;
  run(ask(*client_, lines, status), answer_in_lines(*server_));
  EXPECT_EQ(status, 200);
  EXPECT_EQ(lines, (std::vector<std::string>{"{\"progress\":1}", "{\"progress\":2}", "{\"exit\":0}"}));
}

awaitable<void> refuse(wire::net::Stream& s) {
  std::string pending;
  const Result<std::optional<HttpRequest>> request = co_await read_request(s, pending, patience);
  if (!request || !*request) throw std::runtime_error("no request");
  (void)co_await write_reply(s, 404, "{\"error\":\"x\"}\n", false, patience);
  co_await s.shutdown(patience);
}

TEST_F(Http, a_refusal_has_its_status_and_its_words) {
  std::vector<std::string> lines;
  int status = 0;
  run(ask(*client_, lines, status), refuse(*server_));
  EXPECT_EQ(status, 404);
  EXPECT_EQ(lines, (std::vector<std::string>{"{\"error\":\"x\"}"}));
}

TEST_F(Http, a_server_that_goes_away_is_a_failure) {
  std::vector<std::string> lines;
  int status = 0;
  run(ask(*client_, lines, status),
      send_bytes(*server_, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 1000));
  EXPECT_EQ(status, -1);
  EXPECT_TRUE(lines.empty());
}

}  // namespace
}  // namespace gateway::admin
