#include "wire/net/stream.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/certificates.h"
#include "tests/support/run.h"
#include "wire/net/connect.h"
#include "wire/net/tasks.h"
#include "wire/net/tls.h"
#include "wire/net/wheel.h"

namespace wire::net {
namespace {

using tests::support::Certificates;
using tests::support::poll;
using tests::support::run;

constexpr Timeout patience{30'000};

Certificates& certificates() {
  static Certificates all;
  return all;
}

std::string pattern(size_t size) {
  std::string out(size, '\0');
  uint32_t state = 12345;
  for (char& c : out) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return out;
}

awaitable<void> expect_ok(awaitable<Result<>> op) {
  const Result<> r = co_await std::move(op);
  EXPECT_TRUE(r) << (r ? "" : r.error().describe());
}

awaitable<std::string> read_exactly(Stream& stream, size_t size, size_t buffer_size = 65536) {
  std::string out, buffer(buffer_size, '\0');
  while (out.size() < size) {
    const Result<size_t> n = co_await stream.read_some(std::span(buffer), patience);
    EXPECT_TRUE(n) << (n ? "" : n.error().describe());
    if (!n || *n == 0) break;
    out.append(buffer, 0, *n);
  }
  co_return out;
}

class StreamTest : public testing::TestWithParam<bool> {
 protected:
  StreamTest()
      : group(context.get_executor(),
              [](const std::string& t, std::exception_ptr e) { ADD_FAILURE() << t << ": " << describe(e); }) {
    auto pair = stream_pair(context.get_executor(), context.get_executor());
    server = std::move(pair->first);
    client = std::move(pair->second);
    if (GetParam()) start_tls();
  }

  void start_tls() {
    const Certificates::Pair pair = certificates().issue("localhost", "DNS:localhost");
    auto server_tls = TlsServer::load(pair.certificate, pair.key);
    TlsClientOptions options;
    options.ca_file = certificates().ca_file();
    auto client_tls = TlsClient::make(options);
    ASSERT_TRUE(server_tls && client_tls);
    group.spawn("server", expect_ok(server->start_tls_server(*server_tls, "", patience)));
    group.spawn("client", expect_ok(client->start_tls_client(*client_tls, "localhost", patience)));
    run(context, group.join());
    EXPECT_TRUE(server->is_tls());
    EXPECT_TRUE(client->tls_info().starts_with("TLSv1.")) << client->tls_info();
  }

  asio::io_context context;
  TaskGroup group;
  StreamPtr server, client;
};

INSTANTIATE_TEST_SUITE_P(PlainAndTls, StreamTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "tls" : "plain"; });

TEST_P(StreamTest, bytes_go_both_ways_at_once_unchanged) {
  const std::string up = pattern(5'000'000), down = pattern(7'000'000);
  std::string got_up, got_down;
  auto reader = [](Stream& s, size_t n, std::string& out) -> awaitable<void> { out = co_await read_exactly(s, n); };
  group.spawn("up", expect_ok(client->write_all(up, patience)));
  group.spawn("down", expect_ok(server->write_all(down, patience)));
  group.spawn("read up", reader(*server, up.size(), got_up));
  group.spawn("read down", reader(*client, down.size(), got_down));
  run(context, group.join());
  EXPECT_TRUE(got_up == up);
  EXPECT_TRUE(got_down == down);
  EXPECT_EQ(client->bytes_written(), up.size());
  EXPECT_EQ(client->bytes_read(), down.size());
}

TEST_P(StreamTest, pieces_of_every_size_arrive_in_order) {
  const std::string all = pattern(300'000);
  std::vector<std::string_view> pieces;
  std::string_view rest = all;
  for (size_t size = 0; !rest.empty(); size = size * 3 / 2 + (pieces.size() % 7 == 0 ? 0 : 1)) {
    pieces.push_back(rest.substr(0, size % 40'000));
    rest.remove_prefix(pieces.back().size());
  }
  for (int i = 0; i < 100; ++i) pieces.push_back("x");
  std::string got;
  auto reader = [&]() -> awaitable<void> { got = co_await read_exactly(*server, all.size() + 100); };
  group.spawn("write", expect_ok(client->write_all(std::span<const std::string_view>(pieces), patience)));
  group.spawn("read", reader());
  run(context, group.join());
  EXPECT_TRUE(got == all + std::string(100, 'x'));
}

TEST_P(StreamTest, wait_readable_needs_no_buffer_and_sees_what_tls_holds) {
  auto task = [&]() -> awaitable<void> {
    co_await expect_ok(client->write_all("hello", patience));
    co_await expect_ok(server->wait_readable(patience));
    char two[2];
    const Result<size_t> n = co_await server->read_some(two, patience);
    EXPECT_EQ(*n, 2u);
    co_await expect_ok(server->wait_readable(patience));
    const std::string rest = co_await read_exactly(*server, 3);
    EXPECT_EQ(rest, "llo");
  };
  run(context, task());
}

TEST_P(StreamTest, an_idle_wait_times_out_and_the_stream_lives_on) {
  Wheel& wheel = Wheel::of(context.get_executor());
  wheel.use_manual_clock();
  std::optional<Errc> code;
  auto task = [&]() -> awaitable<void> {
    const Result<> r = co_await server->wait_readable(Timeout(60'000));
    code = r.error().code;
    co_await expect_ok(client->write_all("x", patience));
    EXPECT_EQ(co_await read_exactly(*server, 1), "x");
  };
  group.spawn("t", task());
  poll(context);
  EXPECT_FALSE(code);
  wheel.advance(Timeout(59'000));
  poll(context);
  EXPECT_FALSE(code);
  wheel.advance(Timeout(1'200));
  run(context, group.join());
  EXPECT_EQ(code, Errc::timeout);
}

TEST_P(StreamTest, a_read_that_times_out_leaves_the_write_alone) {
  Wheel& wheel = Wheel::of(context.get_executor());
  wheel.use_manual_clock();
  const std::string big = pattern(3'000'000);
  bool written = false, timed_out = false;
  std::string got;
  auto writer = [&]() -> awaitable<void> {
    co_await expect_ok(client->write_all(big, no_timeout));
    written = true;
  };
  auto reader = [&]() -> awaitable<void> {
    char byte;
    const Result<size_t> n = co_await client->read_some(std::span(&byte, 1), Timeout(1'000));
    timed_out = !n && n.error().code == Errc::timeout;
  };
  auto drain = [&]() -> awaitable<void> { got = co_await read_exactly(*server, big.size()); };
  group.spawn("write", writer());
  group.spawn("read", reader());
  poll(context);
  wheel.advance(Timeout(1'200));
  poll(context);
  EXPECT_TRUE(timed_out);
  EXPECT_FALSE(written);
  group.spawn("drain", drain());
  run(context, group.join());
  EXPECT_TRUE(written);
  EXPECT_TRUE(got == big);
}

TEST_P(StreamTest, a_peer_that_takes_nothing_is_a_timeout) {
  Wheel& wheel = Wheel::of(context.get_executor());
  wheel.use_manual_clock();
  const std::string big = pattern(3'000'000);
  std::optional<Errc> code;
  auto writer = [&]() -> awaitable<void> {
    const Result<> r = co_await client->write_all(big, Timeout(1'000));
    code = r.error().code;
  };
  group.spawn("write", writer());
  poll(context);
  wheel.advance(Timeout(1'200));
  run(context, group.join());
  EXPECT_EQ(code, Errc::timeout);
}

TEST_P(StreamTest, close_ends_a_wait_under_way) {
  std::optional<Errc> code;
  auto reader = [&]() -> awaitable<void> {
    char byte;
    const Result<size_t> n = co_await server->read_some(std::span(&byte, 1));
    code = n.error().code;
  };
  group.spawn("read", reader());
  poll(context);
  server->close();
  server->close();
  run(context, group.join());
  EXPECT_EQ(code, Errc::closed);
  EXPECT_FALSE(server->is_open());
}

TEST_P(StreamTest, orderly_shutdown_is_an_end_after_the_last_byte) {
  std::string got;
  std::optional<size_t> end;
  auto reader = [&]() -> awaitable<void> {
    got = co_await read_exactly(*server, 3);
    char byte;
    const Result<size_t> n = co_await server->read_some(std::span(&byte, 1), patience);
    if (n) end = *n;
    co_await server->shutdown(patience);
  };
  auto writer = [&]() -> awaitable<void> {
    co_await expect_ok(client->write_all("bye", patience));
    co_await client->shutdown(patience);
  };
  group.spawn("read", reader());
  group.spawn("write", writer());
  run(context, group.join());
  EXPECT_EQ(got, "bye");
  EXPECT_EQ(end, 0u);
  EXPECT_FALSE(client->is_open());
}

TEST_P(StreamTest, a_cancelled_read_ends_and_so_does_its_task) {
  bool ended = false;
  auto reader = [&]() -> awaitable<void> {
    char byte;
    const Result<size_t> n = co_await server->read_some(std::span(&byte, 1));
    EXPECT_FALSE(n);
    ended = true;
    co_await server->wait_readable();
    ADD_FAILURE() << "a cancelled task went on";
  };
  TaskGroup own(context.get_executor(), nullptr);
  own.spawn("read", reader());
  poll(context);
  own.cancel_all();
  run(context, own.join());
  EXPECT_TRUE(ended);
}

TEST_P(StreamTest, a_live_stream_moves_to_another_core) {
  asio::io_context other;
  auto before = [&]() -> awaitable<void> {
    co_await expect_ok(client->write_all("first second", patience));
    EXPECT_EQ(co_await read_exactly(*server, 6, 6), "first ");
  };
  run(context, before());
  server->rebind(other.get_executor());
  std::string got;
  auto there = [&]() -> awaitable<void> {
    got = co_await read_exactly(*server, 6);
    co_await expect_ok(server->write_all("answer", patience));
  };
  std::thread core([&] { run(other, there()); });
  std::string answer;
  auto here = [&]() -> awaitable<void> { answer = co_await read_exactly(*client, 6); };
  run(context, here());
  core.join();
  EXPECT_EQ(got, "second");
  EXPECT_EQ(answer, "answer");
  server.reset();  // before its io_context
}

TEST_P(StreamTest, a_peer_with_endless_bytes_does_not_keep_the_core) {
  const std::string big = pattern(200'000);
  int turns = 0;
  bool stop = false;
  auto pinger = [&]() -> awaitable<void> {
    while (!stop) {
      ++turns;
      co_await asio::post(asio::use_awaitable);
    }
  };
  auto reader = [&]() -> awaitable<void> {
    co_await expect_ok(client->write_all("x", patience));
    for (int i = 0; i < 1000; ++i) {
      char byte;
      co_await expect_ok(client->write_all("x", patience));
      co_await server->read_some(std::span(&byte, 1), patience);
    }
    stop = true;
  };
  group.spawn("ping", pinger());
  group.spawn("read", reader());
  run(context, group.join());
  EXPECT_GT(turns, 50);
}

}  // namespace
}  // namespace wire::net
