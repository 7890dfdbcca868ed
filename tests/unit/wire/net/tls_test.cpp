#include "wire/net/tls.h"

#include <gtest/gtest.h>

#include "tests/support/certificates.h"
#include "tests/support/run.h"
#include "wire/net/connect.h"
#include "wire/net/tasks.h"

namespace wire::net {
namespace {

using tests::support::Certificates;
using tests::support::run;

constexpr Timeout patience{30'000};

class TlsTest : public testing::Test {
 protected:
  TlsTest()
      : group(context.get_executor(),
              [](const std::string& t, std::exception_ptr e) { ADD_FAILURE() << t << ": " << describe(e); }) {
    auto pair = stream_pair(context.get_executor(), context.get_executor());
    server = std::move(pair->first);
    client = std::move(pair->second);
  }

  std::shared_ptr<TlsServer> server_with(const Certificates::Pair& pair) {
    auto made = TlsServer::load(pair.certificate, pair.key);
    EXPECT_TRUE(made) << (made ? "" : made.error().note);
    return *made;
  }
  std::shared_ptr<TlsClient> client_with(bool verify) {
    TlsClientOptions options;
    options.verify = verify;
    options.ca_file = certificates.ca_file();
    return *TlsClient::make(options);
  }

  // What each side's handshake came to.
  void shake(std::shared_ptr<TlsServer> s, std::shared_ptr<TlsClient> c, std::string name) {
    auto serve = [&]() -> awaitable<void> {
      Result<> r = co_await server->start_tls_server(s, "", patience);
      server_result.emplace(std::move(r));
    };
    auto ask = [&]() -> awaitable<void> {
      Result<> r = co_await client->start_tls_client(c, name, patience);
      client_result.emplace(std::move(r));
    };
    group.spawn("server", serve());
    group.spawn("client", ask());
    run(context, group.join());
  }

  Certificates certificates;
  asio::io_context context;
  TaskGroup group;
  StreamPtr server, client;
  std::optional<Result<>> server_result, client_result;
};

TEST_F(TlsTest, accepts_the_right_name_and_the_right_address) {
  for (const char* name : {"mail.example.org", "127.0.0.1"}) {
    auto pair = stream_pair(context.get_executor(), context.get_executor());
    server = std::move(pair->first);
    client = std::move(pair->second);
    shake(server_with(certificates.issue("x", "DNS:mail.example.org,IP:127.0.0.1")), client_with(true), name);
    EXPECT_TRUE(*client_result) << name << client_result->error().note;
    EXPECT_TRUE(*server_result) << name;
  }
}

struct Refusal {
  const char* what;
  int days;
  bool self_signed;
  const char* name;
  const char* note;
};

class TlsRefusal : public TlsTest, public testing::WithParamInterface<Refusal> {};

INSTANTIATE_TEST_SUITE_P(
    All, TlsRefusal,
    testing::Values(
        Refusal{"expired", -2, false, "mail.example.org", "the certificate of mail.example.org has expired on 20"},
        Refusal{"other_name", 30, false, "imap.example.net", "the certificate of imap.example.net is for another name"},
        Refusal{"other_address", 30, false, "127.0.0.2", "the certificate of 127.0.0.2 is for another name"},
        Refusal{"self_signed", 30, true, "mail.example.org",
                "the certificate of mail.example.org is self-signed and not trusted here"}),
    [](const auto& test) { return test.param.what; });

TEST_P(TlsRefusal, says_what_is_wrong_and_closes) {
  const Refusal& p = GetParam();
  const std::string names = "DNS:mail.example.org,IP:127.0.0.1";
  shake(server_with(p.self_signed ? certificates.self_signed("x", names) : certificates.issue("x", names, p.days)),
        client_with(true), p.name);
  ASSERT_FALSE(*client_result);
  EXPECT_EQ(client_result->error().code, Errc::refused);
  EXPECT_TRUE(client_result->error().note.starts_with(p.note)) << client_result->error().note;
  EXPECT_FALSE(client->is_open());
}

TEST_P(TlsRefusal, is_accepted_without_verification) {
  const Refusal& p = GetParam();
  const std::string names = "DNS:mail.example.org";
  shake(server_with(p.self_signed ? certificates.self_signed("x", names) : certificates.issue("x", names, p.days)),
        client_with(false), p.name);
  EXPECT_TRUE(*client_result);
}

TEST_F(TlsTest, an_unknown_authority_is_told_as_such) {
  Certificates others;
  shake(server_with(others.issue("x", "DNS:localhost")), client_with(true), "localhost");
  ASSERT_FALSE(*client_result);
  EXPECT_NE(client_result->error().note.find("authority that is not trusted"), std::string::npos)
      << client_result->error().note;
}

TEST_F(TlsTest, a_peer_that_speaks_no_tls_is_told_as_such) {
  auto talk = [&]() -> awaitable<void> {
    char buffer[4096];
    co_await server->read_some(buffer, patience);
    co_await server->write_all("* OK [CAPABILITY IMAP4rev1] ready\r\n", patience);
  };
  auto ask = [&]() -> awaitable<void> {
    std::shared_ptr<TlsClient> tls = client_with(true);
    Result<> r = co_await client->start_tls_client(tls, "localhost", patience);
    client_result.emplace(std::move(r));
  };
  group.spawn("server", talk());
  group.spawn("client", ask());
  run(context, group.join());
  ASSERT_FALSE(*client_result);
  EXPECT_EQ(client_result->error().code, Errc::unsupported);
  EXPECT_EQ(client_result->error().note, "localhost does not speak TLS on this port");
}

TEST_F(TlsTest, a_server_told_plain_text_says_so) {
  auto ask = [&]() -> awaitable<void> {
    co_await client->write_all("A1 LOGIN a b\r\n", patience);
    co_await client->shutdown(patience);
  };
  auto serve = [&]() -> awaitable<void> {
    std::shared_ptr<TlsServer> tls = server_with(certificates.issue("x", "DNS:localhost"));
    Result<> r = co_await server->start_tls_server(tls, "", patience);
    server_result.emplace(std::move(r));
  };
  group.spawn("client", ask());
  group.spawn("server", serve());
  run(context, group.join());
  ASSERT_FALSE(*server_result);
  EXPECT_EQ(server_result->error().note, "the client does not speak TLS on this port");
}

// Commands or replies injected in plain text around STARTTLS must never be seen by the TLS session (CVE-2011-0411).
TEST_F(TlsTest, plain_text_before_the_handshake_is_discarded_at_both_ends) {
  auto serve = [&]() -> awaitable<void> {
    char buffer[9];
    const Result<size_t> n = co_await server->read_some(buffer, patience);
    EXPECT_EQ(std::string_view(buffer, *n), "STARTTLS\n");
    std::shared_ptr<TlsServer> tls = server_with(certificates.issue("x", "DNS:localhost"));
    const Result<> r = co_await server->start_tls_server(tls, "OK\n* injected\n", patience);
    EXPECT_TRUE(r) << r.error().note;
    char more[64];
    const Result<size_t> m = co_await server->read_some(more, patience);
    EXPECT_EQ(std::string_view(more, *m), "real");
  };
  auto ask = [&]() -> awaitable<void> {
    co_await client->write_all("STARTTLS\ninjected\n", patience);
    char buffer[3];
    const Result<size_t> n = co_await client->read_some(buffer, patience);
    EXPECT_EQ(std::string_view(buffer, *n), "OK\n");
    std::shared_ptr<TlsClient> tls = client_with(true);
    const Result<> r = co_await client->start_tls_client(tls, "localhost", patience);
    EXPECT_TRUE(r) << r.error().note;
    co_await client->write_all("real", patience);
  };
  group.spawn("server", serve());
  group.spawn("client", ask());
  run(context, group.join());
}

TEST_F(TlsTest, reload_takes_the_new_certificate_for_new_connections) {
  const Certificates::Pair first = certificates.issue("x", "DNS:one"), second = certificates.issue("x", "DNS:two");
  auto tls = server_with(first);
  std::filesystem::copy_file(second.certificate, first.certificate, std::filesystem::copy_options::overwrite_existing);
  const Result<> half = tls->reload();
  ASSERT_FALSE(half);  // the key is still the old one's
  EXPECT_NE(half.error().note.find("key"), std::string::npos);
  shake(tls, client_with(true), "one");
  EXPECT_TRUE(*client_result);
  std::filesystem::copy_file(second.key, first.key, std::filesystem::copy_options::overwrite_existing);
  ASSERT_TRUE(tls->reload());
  auto pair = stream_pair(context.get_executor(), context.get_executor());
  server = std::move(pair->first);
  client = std::move(pair->second);
  shake(tls, client_with(true), "two");
  EXPECT_TRUE(*client_result) << client_result->error().note;
}

TEST_F(TlsTest, missing_files_are_usage_errors_with_their_name) {
  const auto made = TlsServer::load("/nonexistent/cert.pem", "/nonexistent/key.pem");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::usage);
  EXPECT_NE(made.error().note.find("/nonexistent/cert.pem"), std::string::npos);
}

TEST_F(TlsTest, a_silent_peer_times_out_even_if_it_trickles) {
  Wheel& wheel = Wheel::of(context.get_executor());
  wheel.use_manual_clock();
  auto ask = [&]() -> awaitable<void> {
    std::shared_ptr<TlsClient> tls = client_with(true);
    Result<> r = co_await client->start_tls_client(tls, "localhost", Timeout(10'000));
    client_result.emplace(std::move(r));
  };
  auto trickle = [&](const char* bytes) -> awaitable<void> { co_await server->write_all(bytes, patience); };
  group.spawn("client", ask());
  tests::support::poll(context);
  wheel.advance(Timeout(6'000));
  run(context, trickle("\x16\x03"));
  tests::support::poll(context);
  EXPECT_FALSE(client_result);
  wheel.advance(Timeout(4'200));
  run(context, group.join());
  ASSERT_TRUE(client_result && !*client_result);
  EXPECT_EQ(client_result->error().code, Errc::timeout);
}

}  // namespace
}  // namespace wire::net
