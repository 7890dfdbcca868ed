// A whole IMAP server of this process, over local accounts in a temporary directory, and blocking clients of it: for
// scripts and for tests of sessions. Two cores, one pool; everything goes when it is destroyed.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gateway/imap/server.h"
#include "storage/env.h"
#include "tests/script/local_account.h"

struct ssl_st;

namespace tests::script {

// One end of a socket pair. Throws std::runtime_error when nothing comes for 20 seconds: a test then fails, not hangs.
class Client {
 public:
  explicit Client(int fd) : fd_(fd) {}
  Client(Client&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        buffer_(std::move(other.buffer_)),
        next_tag_(other.next_tag_),
        tls_(std::exchange(other.tls_, nullptr)) {}
  Client& operator=(Client&&) = delete;
  ~Client();

  void send(std::string_view bytes);
  // A whole response without its last CRLF; literals are put in as {{{bytes}}}, with \r, \n, NUL and \ escaped. Empty:
  // the server has closed.
  std::string read_response();
  // Sends "TAG command", collects untagged lines up to the tagged one.
  struct Answer {
    std::vector<std::string> untagged;
    std::string tagged;  // without the tag: "OK [..] text"; empty: closed
    bool has(std::string_view line) const;
    bool ok() const { return tagged.starts_with("OK"); }
  };
  Answer command(const std::string& text);
  Answer finish(const std::string& tag);
  bool closed();     // waits for the server to close
  void start_tls();  // the handshake, without checking certificates

 private:
  bool fill();
  int fd_;
  std::string buffer_;
  unsigned next_tag_ = 1;
  ssl_st* tls_ = nullptr;
};

class RecordingAccessLog final : public gateway::imap::AccessLog {
 public:
  void write(const gateway::imap::AccessRecord& record) override {
    const std::lock_guard lock(mutex_);
    records_.push_back(record);
  }
  std::vector<gateway::imap::AccessRecord> records() const {
    const std::lock_guard lock(mutex_);
    return records_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<gateway::imap::AccessRecord> records_;
};

class TestGateway {
 public:
  struct Options {
    bool allow_plaintext = true;
    uint64_t max_append_bytes = 1 << 20;
    bool derived = false;  // derived data is kept, and made at once
    uint32_t sessions_per_user = 0, sessions_per_address = 0;
    std::shared_ptr<const wire::net::TlsServer> tls;
    std::chrono::milliseconds silent_before_login{60'000}, silent_after_login{60'000};
  };
  TestGateway() : TestGateway(Options()) {}
  explicit TestGateway(Options options);
  ~TestGateway();

  // Users exist from their first login; every password is "secret".
  Client connect(gateway::config::ListenSecurity security = gateway::config::ListenSecurity::starttls);
  Client connect_and_log_in(const std::string& user = "alice");  // greeting and LOGIN are read
  RecordingAccessLog& access() { return access_; }
  gateway::imap::Sessions& sessions() { return *sessions_; }
  gateway::imap::Server& server() { return *server_; }
  // A message that the store lists and whose bytes nobody can give.
  void add_without_body(const std::string& user, const std::string& mailbox);
  // Waits until derived data of what arrived, or was asked for, is made; how many entries there are.
  uint64_t derived_entries(const std::string& user);
  std::filesystem::path account_directory(const std::string& user) const { return directory_ / user; }
  // Nothing is searched until `until` is ready.
  void hold_searches(std::shared_future<void> until);
  // Closes the account, so that the next login opens it again. No session may use it.
  void close_account(const std::string& user);
  // Runs on the account's core and waits.
  void on_core(std::function<awaitable<void>()> task);

 private:
  class TestLogin;
  std::filesystem::path directory_;
  // Sessions begin on either core; accounts live on the second, so that half of them move after the login.
  asio::io_context listener_core_, core_;
  asio::executor_work_guard<asio::io_context::executor_type> listener_work_, work_;
  asio::thread_pool pool_{2}, searches_{1};
  storage::PosixEnv env_;
  gateway::config::Config config_;
  std::unique_ptr<TestLogin> login_;
  std::unique_ptr<gateway::imap::Sessions> sessions_;
  RecordingAccessLog access_;
  std::unique_ptr<gateway::imap::Server> server_;
  std::thread listener_thread_, thread_;
};

}  // namespace tests::script
