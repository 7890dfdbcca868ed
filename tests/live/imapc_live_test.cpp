// The IMAP client against real servers. The driver that starts them names them in the environment as host:port:
// FAIRLEAD_LIVE_CYRUS, FAIRLEAD_LIVE_COURIER, FAIRLEAD_LIVE_DOVECOT, and the same with _TLS for implicit TLS.
// Users user32 to user34 with password "secret" are changed; everything made here is removed again.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

#include "imapc/list.h"
#include "tests/support/run.h"
#include "wire/net/connect.h"
#include "wire/net/tasks.h"

namespace imapc {
namespace {

using tests::support::run;
using wire::imap::StatusItems;
using wire::imap::cmd::Fetch;

struct Server {
  const char* name;
  const char* variable;
  bool starttls;
  std::optional<Admin::Method> admin;
  const char* admin_user;
  bool idle_pushes;    // Courier without a file watcher only looks once a minute
  bool tells_uidnext;  // in SELECT
};

std::vector<Server> known_servers() {
  return {
      {"cyrus", "FAIRLEAD_LIVE_CYRUS", true, Admin::Method::authzid, "proxy", true, true},
      {"courier", "FAIRLEAD_LIVE_COURIER", false, std::nullopt, "", false, false},
      {"dovecot", "FAIRLEAD_LIVE_DOVECOT", true, Admin::Method::separator, "master", true, true},
  };
}

// Those that the environment names: without any there is no test.
const std::vector<Server>& servers() {
  static const std::vector<Server> present = [] {
    std::vector<Server> out;
    for (const Server& server : known_servers()) {
      if (std::getenv(server.variable)) out.push_back(server);
    }
    return out;
  }();
  return present;
}

std::optional<Endpoint> endpoint_of(const std::string& variable, Security security) {
  const char* text = std::getenv(variable.c_str());
  if (!text) return std::nullopt;
  const Result<wire::net::Address> address = wire::net::parse_address(text);
  if (!address) return std::nullopt;
  Endpoint endpoint;
  endpoint.host = address->host;
  endpoint.port = address->port;
  endpoint.security = security;
  endpoint.verify = false;
  return endpoint;
}

Credentials as(const std::string& user) {
  Credentials credentials;
  credentials.user = user;
  credentials.password = Secret("secret");
  return credentials;
}

std::string message(size_t number, size_t size) {
  std::string out = "From: a@example.org\r\nSubject: message " + std::to_string(number) + "\r\n\r\n";
  uint32_t state = static_cast<uint32_t>(number) + 1;
  while (out.size() + 2 < size) {
    state = state * 1664525 + 1013904223;
    out += static_cast<char>('a' + (state >> 24) % 26);
    if (out.size() % 70 == 0) out += "\r\n";
  }
  return out + "\r\n";
}

class Bodies : public FetchSink {
 public:
  void on_body_begin(const FetchItem&, const FetchSection&, uint64_t size) override {
    current.clear();
    announced = size;
  }
  void on_body_bytes(std::string_view bytes) override { current += bytes; }
  void on_body_end() override { EXPECT_EQ(current.size(), announced); }
  void on_message(const FetchItem& item) override {
    ASSERT_TRUE(item.uid);
    if (!item.sections.empty()) bodies[item.uid->value] = current;
    if (item.flags) flags[item.uid->value] = item.flags->flags;
    if (item.size) sizes[item.uid->value] = *item.size;
  }
  void on_vanished(const UidSet& uids) override { vanished.add(uids); }
  std::string current;
  uint64_t announced = 0;
  std::map<uint32_t, std::string> bodies;
  std::map<uint32_t, wire::base::Flags> flags;
  std::map<uint32_t, uint64_t> sizes;
  UidSet vanished;
};

class LiveTest : public testing::TestWithParam<size_t> {
 protected:
  const Server& server() const { return servers()[GetParam()]; }

  awaitable<std::unique_ptr<Connection>> open(Endpoint endpoint, Credentials credentials, Options options = Options()) {
    Result<std::unique_ptr<Connection>> opened =
        co_await Connection::open(context.get_executor(), endpoint, credentials, options);
    if (!opened) {
      ADD_FAILURE() << opened.error().describe();
      throw std::runtime_error("no connection");
    }
    co_return std::move(*opened);
  }

  asio::io_context context;
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LiveTest);
INSTANTIATE_TEST_SUITE_P(Servers, LiveTest, testing::Range(size_t{0}, servers().size()),
                         [](const auto& test) { return std::string(servers()[test.param].name); });

template <class T>
awaitable<T> good(Call<T> call) {
  Result<T> r = co_await call.get();
  if (!r) {
    ADD_FAILURE() << r.error().describe();
    throw std::runtime_error("the command failed");
  }
  co_return std::move(*r);
}

wire::imap::cmd::Select selecting(const std::string& mailbox) {
  wire::imap::cmd::Select request;
  request.mailbox.octets = mailbox;
  return request;
}

TEST_P(LiveTest, a_mailbox_from_its_creation_to_its_end) {
  const std::optional<Endpoint> endpoint = endpoint_of(server().variable, Security::none);
  auto steps = [&]() -> awaitable<void> {
    Options options;
    options.id.set("name", "Fairlead");
    options.enable = {"CONDSTORE", "QRESYNC"};
    std::unique_ptr<Connection> c = co_await open(*endpoint, as("user32"), options);
    const wire::imap::NamespaceData spaces = co_await good(c->namespaces());
    const std::string prefix = spaces.personal.at(0).prefix + "imapc" + std::to_string(getpid());
    const std::string box = prefix + "a", other = prefix + "b";
    co_await good(c->create(box));
    co_await good(c->create(other));
    co_await good(c->subscribe(box));

    std::vector<std::string> messages;
    for (size_t i = 0; i < 6; ++i) messages.push_back(message(i, i == 5 ? 3'000'000 : 100 + i * 3000));
    std::vector<std::unique_ptr<StringReader>> readers;
    std::vector<Call<Appended>> appends;
    for (const std::string& bytes : messages) {
      readers.push_back(std::make_unique<StringReader>(bytes));
      AppendRequest request;
      request.mailbox = box;
      request.flags.flags.add("Fairlead-Test");
      request.size = bytes.size();
      request.body = readers.back().get();
      request.date = wire::base::InternalDate{1'700'000'000, 120};
      appends.push_back(c->append(request));
    }
    std::vector<Uid> uids;
    for (Call<Appended>& append : appends) {
      const Result<Appended> r = co_await append.get();
      EXPECT_TRUE(r) << (r ? "" : r.error().describe());
      if (!r) co_return;
      if (c->capabilities().has("UIDPLUS")) {
        EXPECT_TRUE(r->uid);
      }
      uids.push_back(r->uid);
    }

    StatusItems items;
    items.bits =
        StatusItems::messages | StatusItems::uid_next | StatusItems::uid_validity | StatusItems::highest_modseq;
    TreeRequest everything(items);
    const Result<std::vector<ListedMailbox>> tree = co_await list_tree(*c, everything);
    EXPECT_TRUE(tree);
    bool found = false;
    for (const ListedMailbox& listed : *tree) {
      if (listed.selectable()) {
        EXPECT_TRUE(listed.status) << listed.name;
      }
      if (listed.name != box) continue;
      found = true;
      EXPECT_TRUE(listed.subscribed);
      EXPECT_EQ(listed.status->messages, 6u);
    }
    EXPECT_TRUE(found);

    const Selected selected = co_await good(c->select(selecting(box)));
    EXPECT_EQ(selected.exists, 6u);
    EXPECT_TRUE(selected.uid_validity);
    EXPECT_EQ(bool(selected.uid_next), server().tells_uidnext);
    EXPECT_FALSE(selected.read_only);

    Bodies sink;
    Fetch fetch;
    fetch.set.ranges.push_back({1, 0});
    fetch.items = Fetch::uid_item | Fetch::flags | Fetch::rfc822_size;
    Fetch::Part whole;
    whole.peek = true;
    fetch.parts.push_back(whole);
    co_await good(c->uid_fetch(fetch, sink));
    EXPECT_EQ(sink.bodies.size(), 6u);
    size_t i = 0;
    for (const auto& [uid, bytes] : sink.bodies) {
      EXPECT_TRUE(bytes == messages[i]) << server().name << " message " << i;
      EXPECT_EQ(sink.sizes[uid], messages[i].size());
      EXPECT_TRUE(sink.flags[uid].has("Fairlead-Test"));
      EXPECT_EQ(sink.flags[uid].system, 0);
      if (uids[i]) {
        EXPECT_EQ(uids[i].value, uid);
      }
      uids[i++] = Uid(uid);
    }

    wire::imap::cmd::Store store;
    store.set = wire::imap::SequenceSet::of(UidSet(uids[0], uids[1]));
    store.mode = wire::base::FlagsMode::add;
    store.flags.flags.system = wire::base::deleted;
    const Stored stored = co_await good(c->uid_store(store));
    EXPECT_EQ(stored.changed.size(), 2u);
    EXPECT_TRUE(stored.changed.at(0).flags->flags.system & wire::base::deleted);

    const Copied copied = co_await good(c->uid_copy(UidSet(uids[2], uids[3]), other));
    EXPECT_EQ(copied.uids.count(), 2u);
    if (c->capabilities().has("MOVE")) {
      const Copied moved = co_await good(c->uid_move(UidSet(uids[4]), other));
      EXPECT_EQ(moved.uids.count(), 1u);
    }
    wire::imap::cmd::Search search;
    add_key(search, wire::imap::cmd::SearchKey::Op::deleted);
    const Found gone = co_await good(c->uid_search(search));
    EXPECT_EQ(gone.uids.count(), 2u);
    const Expunged expunged = co_await good(c->uid_expunge(UidSet(uids[0])));
    EXPECT_EQ(expunged.seqs.size() + expunged.vanished.count(), 1u);

    if (c->enabled().has("QRESYNC")) {
      wire::imap::cmd::Select again = selecting(box);
      wire::imap::cmd::Qresync since;
      since.uid_validity = selected.uid_validity;
      since.modseq = selected.highest_modseq;
      again.qresync = since;
      const Selected delta = co_await good(c->select(again));
      EXPECT_TRUE(delta.vanished.contains(uids[0])) << delta.vanished.to_string();
      EXPECT_GE(delta.changed.size(), 1u);
    }
    co_await good(c->unselect());
    co_await good(c->unsubscribe(box));
    co_await good(c->remove(box));
    co_await good(c->remove(other));
    co_await c->logout();
  };
  run(context, steps());
}

TEST_P(LiveTest, idle_hears_of_a_message_that_another_session_appends) {
  const std::optional<Endpoint> endpoint = endpoint_of(server().variable, Security::none);
  class Ear : public Observer {
   public:
    explicit Ear(asio::any_io_executor e) : heard(e) {}
    void on_exists(uint32_t n) override {
      exists = n;
      heard.notify_all();
    }
    uint32_t exists = 0;
    wire::net::Event heard;
  };
  auto steps = [&]() -> awaitable<void> {
    std::unique_ptr<Connection> listener = co_await open(*endpoint, as("user33"));
    std::unique_ptr<Connection> writer = co_await open(*endpoint, as("user33"));
    const wire::imap::NamespaceData spaces = co_await good(writer->namespaces());
    const std::string box = spaces.personal.at(0).prefix + "imapcidle" + std::to_string(getpid());
    co_await good(writer->create(box));
    co_await good(listener->select(selecting(box)));
    Ear ear(context.get_executor());
    listener->set_observer(&ear);
    wire::net::TaskGroup group(context.get_executor(), nullptr);
    auto idle = [&]() -> awaitable<void> {
      const Result<> r = co_await listener->idle();
      EXPECT_TRUE(r) << (r ? "" : r.error().describe());
    };
    group.spawn("idle", idle());
    const std::string bytes = message(1, 500);
    StringReader reader(bytes);
    AppendRequest request;
    request.mailbox = box;
    request.size = bytes.size();
    request.body = &reader;
    co_await good(writer->append(request));
    auto came = [&ear] { return ear.exists > 0; };
    if (server().idle_pushes) {
      const bool in_time = co_await ear.heard.wait_for(came, Timeout(20'000));
      EXPECT_TRUE(in_time);
    }
    listener->stop_idle();
    co_await group.join();
    co_await good(listener->unselect());
    listener->set_observer(nullptr);
    co_await good(writer->remove(box));
    co_await listener->logout();
    co_await writer->logout();
  };
  run(context, steps());
}

TEST_P(LiveTest, every_way_in_works) {
  const std::optional<Endpoint> plain = endpoint_of(server().variable, Security::none);
  auto steps = [&]() -> awaitable<void> {
    std::vector<Endpoint> ways;
    if (server().starttls) {
      ways.push_back(*plain);
      ways.back().security = Security::starttls;
    }
    const auto tls = endpoint_of(std::string(server().variable) + "_TLS", Security::implicit_tls);
    if (tls) ways.push_back(*tls);
    for (const Endpoint& way : ways) {
      std::unique_ptr<Connection> c = co_await open(way, as("user34"));
      EXPECT_TRUE(c->stream().is_tls());
      co_await good(c->noop());
      co_await c->logout();
    }
    if (server().admin) {
      Credentials credentials;
      credentials.user = "user34";
      Admin admin;
      admin.user = server().admin_user;
      admin.password = Secret("mastersecret");
      admin.method = *server().admin;
      credentials.admin = admin;
      std::unique_ptr<Connection> c = co_await open(*plain, credentials);
      co_await good(c->select(selecting("INBOX")));
      co_await c->logout();
    }
    Credentials wrong = as("user34");
    wrong.password = Secret("not this");
    const Endpoint endpoint = *plain;
    const Options options;
    auto refused = co_await Connection::open(context.get_executor(), endpoint, wrong, options);
    EXPECT_FALSE(refused);
    if (!refused) {
      EXPECT_EQ(refused.error().code, Errc::auth) << refused.error().describe();
    }
  };
  run(context, steps());
}

TEST_P(LiveTest, compressed_connections_carry_the_same) {
  const std::optional<Endpoint> endpoint = endpoint_of(server().variable, Security::none);
  auto steps = [&]() -> awaitable<void> {
    Options options;
    options.compress = true;
    std::unique_ptr<Connection> c = co_await open(*endpoint, as("user34"), options);
    const Selected selected = co_await good(c->select(selecting("INBOX")));
    Bodies sink;
    Fetch fetch;
    fetch.set.ranges.push_back({1, 0});
    fetch.items = Fetch::uid_item | Fetch::rfc822_size;
    Fetch::Part whole;
    whole.peek = true;
    fetch.parts.push_back(whole);
    co_await good(c->uid_fetch(fetch, sink));
    EXPECT_EQ(sink.bodies.size(), selected.exists);
    for (const auto& [uid, bytes] : sink.bodies) {
      EXPECT_EQ(bytes.size(), sink.sizes[uid]);
    }
    co_await c->logout();
  };
  run(context, steps());
}

}  // namespace
}  // namespace imapc
