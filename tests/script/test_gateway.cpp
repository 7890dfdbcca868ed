#include "tests/script/test_gateway.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <stdexcept>

#include "wire/net/connect.h"

namespace tests::script {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

// --- Client

Client::~Client() {
  if (tls_) SSL_free(tls_);
  if (fd_ >= 0) ::close(fd_);
}

void Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = tls_ ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                           : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // the server has closed: the next read tells
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

bool Client::fill() {
  pollfd p{fd_, POLLIN, 0};
  const bool buffered = tls_ && SSL_has_pending(tls_);
  if (!buffered && ::poll(&p, 1, 20'000) <= 0) throw std::runtime_error("the server is silent; so far: " + buffer_);
  char bytes[65536];
  const ssize_t n = tls_ ? SSL_read(tls_, bytes, sizeof bytes) : ::recv(fd_, bytes, sizeof bytes, 0);
  if (n <= 0) return false;
  buffer_.append(bytes, static_cast<size_t>(n));
  return true;
}

std::string Client::read_response() {
  std::string out;
  size_t at = 0;
  for (;;) {
    size_t end;
    while ((end = buffer_.find("\r\n", at)) == std::string::npos) {
      if (!fill()) return {};
    }
    std::string line = buffer_.substr(at, end - at);
    at = end + 2;
    size_t size = 0;
    const size_t open = line.rfind('{');
    const bool literal =
        line.ends_with('}') && open != std::string::npos && std::sscanf(line.c_str() + open, "{%zu}", &size) == 1;
    if (!literal) {
      out += line;
      buffer_.erase(0, at);
      return out;
    }
    while (buffer_.size() < at + size) {
      if (!fill()) return {};
    }
    out += line.substr(0, open) + "{{{";
    for (char c : buffer_.substr(at, size)) {
      if (c == '\r') {
        out += "\\r";
      } else if (c == '\n') {
        out += "\\n";
      } else if (c == '\0') {
        out += "\\0";
      } else if (c == '\\') {
        out += "\\\\";
      } else {
        out += c;
      }
    }
    out += "}}}";
    at += size;
  }
}

Client::Answer Client::command(const std::string& text) {
  const std::string tag = "T" + std::to_string(next_tag_++);
  send(tag + " " + text + "\r\n");
  return finish(tag);
}

Client::Answer Client::finish(const std::string& tag) {
  Answer answer;
  for (;;) {
    std::string line = read_response();
    if (line.empty()) return answer;
    if (line.starts_with(tag + " ")) {
      answer.tagged = line.substr(tag.size() + 1);
      return answer;
    }
    answer.untagged.push_back(std::move(line));
  }
}

void Client::start_tls() {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  tls_ = SSL_new(context);
  SSL_CTX_free(context);
  SSL_set_fd(tls_, fd_);
  if (SSL_connect(tls_) != 1) throw std::runtime_error("the handshake failed");
}

bool Client::closed() {
  while (fill()) {
  }
  return true;
}

bool Client::Answer::has(std::string_view line) const {
  return std::find(untagged.begin(), untagged.end(), line) != untagged.end();
}

// --- TestGateway

class TestGateway::TestLogin final : public gateway::source::Login {
 public:
  TestLogin(storage::Env& env, asio::any_io_executor core, asio::thread_pool& pool, std::filesystem::path directory,
            bool derived)
      : env_(env), core_(core), pool_(pool), directory_(std::move(directory)), derived_(derived) {}

  awaitable<Result<gateway::source::MailAccountPtr>> login(std::string user, std::string authzid, std::string password,
                                                           std::string, bool) override {
    if (password != "secret" || !(authzid.empty() || authzid == user)) {
      co_return Failure(Errc::auth, "wrong credentials");
    }
    auto on_core = find(user);
    co_return co_await asio::co_spawn(core_, std::move(on_core), asio::use_awaitable);
  }

  // On the core.
  awaitable<gateway::source::MailAccountPtr> find(std::string user) {
    auto& account = accounts_[user];
    if (!account) account = open(user);
    co_return gateway::source::MailAccountPtr(account);
  }
  LocalAccount& account(const std::string& user) { return *accounts_.at(user); }

  awaitable<void> close(std::string user) {
    auto account = accounts_.extract(user);
    if (account) (void)co_await account.mapped()->close();
  }

  awaitable<void> close() {
    for (auto& [user, account] : accounts_) (void)co_await account->close();
    accounts_.clear();
  }

 private:
  std::shared_ptr<LocalAccount> open(const std::string& user) {
    storage::OpenOptions options;
    options.create = true;
    auto store = storage::Account::open(env_, directory_ / user, options);
    if (!store) throw std::runtime_error(store.error().describe());
    if ((*store)->tree()->find("INBOX") == nullptr) make_inbox(**store);
    return std::make_shared<LocalAccount>(user, core_, pool_, std::move(*store), derived_ ? &env_ : nullptr);
  }

  static void make_inbox(storage::Account& store) {
    storage::MailboxInfo inbox;
    inbox.name = "INBOX";
    auto batch = store.begin();
    if (auto made = batch.create_mailbox(inbox); !made) throw std::runtime_error(made.error().describe());
    if (auto done = store.commit(std::move(batch)); !done) throw std::runtime_error(done.error().describe());
    if (auto synced = store.sync(); !synced) throw std::runtime_error(synced.error().describe());
  }

  storage::Env& env_;
  asio::any_io_executor core_;
  asio::thread_pool& pool_;
  const std::filesystem::path directory_;
  const bool derived_;
  std::map<std::string, std::shared_ptr<LocalAccount>> accounts_;
};

TestGateway::TestGateway(Options options)
    : listener_work_(asio::make_work_guard(listener_core_)), work_(asio::make_work_guard(core_)) {
  std::string pattern = (std::filesystem::temp_directory_path() / "fairlead-imap-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
  directory_ = pattern;
  config_.data_dir = directory_;
  config_.allow_plaintext = options.allow_plaintext;
  config_.max_append_bytes = options.max_append_bytes;
  login_ = std::make_unique<TestLogin>(env_, core_.get_executor(), pool_, directory_, options.derived);
  sessions_ = std::make_unique<gateway::imap::Sessions>(options.sessions_per_user, options.sessions_per_address);

  auto environment = std::make_shared<gateway::imap::Environment>();
  environment->config = std::make_shared<gateway::config::Config>(config_);
  environment->login = login_.get();
  environment->sessions = sessions_.get();
  environment->pool = &pool_;
  environment->searches = &searches_;
  environment->tls = options.tls;
  environment->access = &access_;
  environment->after_wrong_password = std::chrono::milliseconds(0);
  environment->silent_before_login = options.silent_before_login;
  environment->silent_after_login = options.silent_after_login;
  server_ = std::make_unique<gateway::imap::Server>(
      environment, std::vector<asio::any_io_executor>{listener_core_.get_executor(), core_.get_executor()});
  listener_thread_ = std::thread([this] { listener_core_.run(); });
  thread_ = std::thread([this] { core_.run(); });
}

TestGateway::~TestGateway() {
  gateway::imap::Server* server = server_.get();
  TestLogin* login = login_.get();
  on_core([server, login]() -> awaitable<void> {
    co_await server->stop("Shutting down", std::chrono::seconds(5));
    co_await login->close();
  });
  listener_core_.stop();
  core_.stop();
  listener_thread_.join();
  thread_.join();
  pool_.join();
  searches_.join();
  server_.reset();
  login_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void TestGateway::on_core(std::function<awaitable<void>()> task) {
  std::promise<void> done;
  auto finished = [&done](std::exception_ptr e) {
    if (e) {
      done.set_exception(e);
    } else {
      done.set_value();
    }
  };
  asio::co_spawn(core_, task, finished);
  done.get_future().get();
}

Client TestGateway::connect(gateway::config::ListenSecurity security) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) throw std::runtime_error("socketpair");
  const int flag = 1;
  if (::ioctl(fds[1], FIONBIO, &flag) != 0) throw std::runtime_error("FIONBIO");
  server_->serve(wire::net::adopt_socket(listener_core_.get_executor(), fds[1], false), security);
  return Client(fds[0]);
}

Client TestGateway::connect_and_log_in(const std::string& user) {
  Client client = connect();
  (void)client.read_response();
  const auto answer = client.command("LOGIN " + user + " secret");
  if (!answer.ok()) throw std::runtime_error("cannot log in: " + answer.tagged);
  return client;
}

void TestGateway::add_without_body(const std::string& user, const std::string& mailbox) {
  LocalAccount* account = nullptr;
  on_core([this, &account, user]() -> awaitable<void> {
    account = &login_->account(user);
    co_return;
  });
  on_core([account, mailbox]() -> awaitable<void> { co_await account->add_without_body(mailbox); });
}

uint64_t TestGateway::derived_entries(const std::string& user) {
  uint64_t entries = 0;
  on_core([this, user, &entries]() -> awaitable<void> {
    LocalAccount& account = login_->account(user);
    co_await account.engine().settled();
    const auto data = co_await account.derived();
    entries = data->stats().entries;
  });
  return entries;
}

void TestGateway::hold_searches(std::shared_future<void> until) {
  asio::post(searches_, [until] { until.wait(); });
}

void TestGateway::close_account(const std::string& user) {
  on_core([this, user]() -> awaitable<void> { co_await login_->close(user); });
}

}  // namespace tests::script
