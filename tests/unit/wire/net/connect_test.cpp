#include "wire/net/connect.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/support/run.h"
#include "wire/net/tasks.h"

namespace wire::net {
namespace {

using tests::support::run;

constexpr Timeout patience{30'000};

class ConnectTest : public testing::Test {
 protected:
  ConnectTest()
      : group(context.get_executor(),
              [](const std::string& t, std::exception_ptr e) { ADD_FAILURE() << t << ": " << describe(e); }) {}

  std::unique_ptr<Listener> listen(std::string_view where) {
    auto made = Listener::open(context.get_executor(), *parse_address(where));
    EXPECT_TRUE(made) << where << ": " << made.error().note;
    return std::move(*made);
  }

  // Connects, sends "hi" through, and returns the accepted side.
  StreamPtr meet(Listener& listener, ConnectOptions options) {
    StreamPtr accepted;
    auto server = [&]() -> awaitable<void> {
      Result<StreamPtr> s = co_await listener.accept();
      EXPECT_TRUE(s);
      accepted = std::move(*s);
      char buffer[2];
      const Result<size_t> n = co_await accepted->read_some(buffer, patience);
      EXPECT_TRUE(n && *n == 2);
    };
    auto client = [&]() -> awaitable<void> {
      Result<StreamPtr> s = co_await connect(options);
      EXPECT_TRUE(s) << s.error().describe();
      client_peer = (*s)->peer();
      client_local = (*s)->local();
      co_await (*s)->write_all("hi", patience);
      co_await (*s)->shutdown(Timeout(1));
    };
    group.spawn("server", server());
    group.spawn("client", client());
    run(context, group.join());
    return accepted;
  }

  asio::io_context context;
  TaskGroup group;
  Address client_peer, client_local;
};

TEST_F(ConnectTest, port_zero_reports_its_port_and_both_sides_know_each_other) {
  auto listener = listen("127.0.0.1:0");
  ASSERT_NE(listener->address().port, 0);
  StreamPtr accepted = meet(*listener, ConnectOptions("127.0.0.1", listener->address().port));
  EXPECT_EQ(client_peer, listener->address());
  EXPECT_EQ(accepted->peer(), client_local);
  EXPECT_EQ(accepted->local(), listener->address());
}

TEST_F(ConnectTest, names_are_resolved) {
  auto listener = listen("127.0.0.1:0");
  EXPECT_TRUE(meet(*listener, ConnectOptions("localhost", listener->address().port)));
}

TEST_F(ConnectTest, a_wildcard_listener_takes_ipv4_and_shows_the_clients_plain_address) {
  auto listener = listen("*:0");
  StreamPtr accepted = meet(*listener, ConnectOptions("127.0.0.1", listener->address().port));
  EXPECT_EQ(accepted->peer().host, "127.0.0.1");
}

TEST_F(ConnectTest, unix_socket_has_the_asked_mode_and_vanishes_with_its_listener) {
  std::string directory = (std::filesystem::temp_directory_path() / "fairlead-net-XXXXXX").string();
  ASSERT_TRUE(mkdtemp(directory.data()));
  const std::string path = directory + "/admin.sock";
  {
    auto listener = listen("unix:" + path);
    struct stat st {};
    ASSERT_EQ(stat(path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0600u);
    EXPECT_TRUE(meet(*listener, ConnectOptions("unix:" + path)));
    auto second = Listener::open(context.get_executor(), *parse_address("unix:" + path));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::exists);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  std::ofstream(path) << "a file";
  EXPECT_FALSE(Listener::open(context.get_executor(), *parse_address("unix:" + path)));
  std::filesystem::remove_all(directory);
}

TEST_F(ConnectTest, nobody_there_is_unavailable_and_no_name_is_not_found) {
  uint16_t port = 0;
  {
    auto listener = listen("127.0.0.1:0");
    port = listener->address().port;
  }
  auto refused = run(context, connect(ConnectOptions("127.0.0.1", port)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_NE(refused.error().note.find("Connection refused"), std::string::npos) << refused.error().note;
  auto nameless = run(context, connect(ConnectOptions("no-such-host.invalid", 143)));
  ASSERT_FALSE(nameless);
  EXPECT_EQ(nameless.error().code, Errc::not_found);
  auto empty = run(context, connect(ConnectOptions("", 143)));
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, Errc::usage);
}

TEST_F(ConnectTest, closing_the_listener_ends_accept) {
  auto listener = listen("127.0.0.1:0");
  std::optional<Errc> code;
  auto server = [&]() -> awaitable<void> {
    Result<StreamPtr> s = co_await listener->accept();
    code = s.error().code;
  };
  group.spawn("accept", server());
  tests::support::poll(context);
  listener->close();
  run(context, group.join());
  EXPECT_EQ(code, Errc::closed);
}

TEST(Address, is_read_and_written_the_same) {
  for (const char* text : {"127.0.0.1:143", "[::1]:993", "*:25", "unix:/run/fairlead/admin.sock"}) {
    const auto a = parse_address(text);
    ASSERT_TRUE(a) << text;
    EXPECT_EQ(a->to_string(), text);
  }
  for (const char* text : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:1x", "mail.example.org:143",
                           "unix:", "[::1:143"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

}  // namespace
}  // namespace wire::net
