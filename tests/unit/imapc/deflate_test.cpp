#include <gtest/gtest.h>

#include "imapc/deflate_stream.h"
#include "tests/support/run.h"
#include "tests/unit/imapc/scripted_connection.h"
#include "wire/net/connect.h"
#include "wire/net/tasks.h"

namespace imapc {
namespace {

class DeflateTest : public testing::Test {
 protected:
  DeflateTest()
      : group(context.get_executor(), [](const std::string& t, std::exception_ptr e) {
          ADD_FAILURE() << t << ": " << wire::net::describe(e);
        }) {
    auto pair = wire::net::stream_pair(context.get_executor(), context.get_executor());
    raw_peer = pair->first.get();
    peer = std::make_unique<DeflateStream>(std::move(pair->first));
    client = std::make_unique<DeflateStream>(std::move(pair->second));
  }

  static awaitable<void> send(wire::net::Stream& to, std::string bytes) {
    const Result<> r = co_await to.write_all(std::string_view(bytes), Timeout(30'000));
    EXPECT_TRUE(r);
  }
  static awaitable<void> receive(wire::net::Stream& from, size_t size, std::string& out) {
    std::string buffer(1000, '\0');
    while (out.size() < size) {
      const Result<size_t> n = co_await from.read_some(std::span<char>(buffer), Timeout(30'000));
      EXPECT_TRUE(n && *n > 0);
      if (!n || *n == 0) break;
      out.append(buffer, 0, *n);
    }
  }

  asio::io_context context;
  wire::net::TaskGroup group;
  wire::net::Stream* raw_peer;
  std::unique_ptr<DeflateStream> peer, client;
};

TEST_F(DeflateTest, both_ways_arrive_unchanged_and_smaller) {
  ASSERT_TRUE(client->switch_on());
  ASSERT_TRUE(peer->switch_on());
  std::string up, down, got_up, got_down;
  for (int i = 0; i < 60'000; ++i) up += "A" + std::to_string(i) + " FETCH\r\n";
  uint32_t state = 1;
  for (int i = 0; i < 400'000; ++i) down += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  group.spawn("up", send(*client, up));
  group.spawn("down", send(*peer, down));
  group.spawn("read up", receive(*peer, up.size(), got_up));
  group.spawn("read down", receive(*client, down.size(), got_down));
  run(context, group.join());
  EXPECT_TRUE(got_up == up);
  EXPECT_TRUE(got_down == down);
  EXPECT_LT(raw_peer->bytes_read(), up.size() / 2);
}

TEST_F(DeflateTest, passes_bytes_through_until_it_is_switched_on) {
  std::string got;
  group.spawn("send", send(*client, "plain"));
  group.spawn("receive", receive(*peer, 5, got));
  run(context, group.join());
  EXPECT_EQ(got, "plain");
  EXPECT_EQ(raw_peer->bytes_read(), 5u);
}

TEST_F(DeflateTest, damaged_data_are_told_as_such) {
  ASSERT_TRUE(client->switch_on());
  auto steps = [&]() -> awaitable<void> {
    co_await send(*peer, std::string(100, '\xff'));
    char buffer[100];
    const Result<size_t> n = co_await client->read_some(std::span<char>(buffer), Timeout(30'000));
    EXPECT_FALSE(n);
    if (!n) {
      EXPECT_EQ(n.error().code, Errc::malformed);
    }
  };
  group.spawn("t", steps());
  run(context, group.join());
}

class CompressTest : public ScriptedConnection {};

TEST_F(CompressTest, plain_text_after_the_switch_breaks_the_connection) {
  script_login(script(), "IMAP4rev1 COMPRESS=DEFLATE");
  script().expect("f2 COMPRESS DEFLATE\r\n").supply("f2 OK on\r\n* 1 EXISTS\r\n");
  Options options;
  options.compress = true;
  const Result<> r = open(plain_endpoint(), user_credentials(), options);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::malformed);
}

TEST_F(CompressTest, a_refusal_leaves_the_connection_plain) {
  script_login(script(), "IMAP4rev1 COMPRESS=DEFLATE");
  script().expect("f2 COMPRESS DEFLATE\r\n").supply("f2 NO not now\r\n").expect("f3 NOOP\r\n").supply("f3 OK x\r\n");
  Options options;
  options.compress = true;
  ASSERT_TRUE(open(plain_endpoint(), user_credentials(), options));
  auto steps = [&]() -> awaitable<void> {
    Call<Nothing> call = connection->noop();
    const Result<Nothing> answer = co_await call.get();
    EXPECT_TRUE(answer);
  };
  run(context, steps());
}

}  // namespace
}  // namespace imapc
