// A Stream that follows a script: what the code under test must write, what it gets to read, and where it all breaks.
// Deterministic, no sockets. One thread.
//
//   auto stream = std::make_unique<ScriptedStream>(executor);
//   stream->supply("* OK hi\r\n").expect("A1 NOOP\r\n").supply("A1 OK done\r\n");
//
// A read waits until the script comes to a supply; at the script's end it waits until close(). A write that is not what
// the script expects fails and is kept in mismatch().
#pragma once

#include <algorithm>
#include <deque>
#include <limits>
#include <string>

#include "wire/net/wheel.h"

namespace tests::support {

class ScriptedStream : public wire::net::Stream {
 public:
  using Failure = wire::net::Failure;
  using Errc = wire::net::Errc;
  using Timeout = wire::net::Timeout;
  template <class T = void>
  using Result = wire::net::Result<T>;

  struct Step {
    enum Kind : uint8_t { expect, supply, end, start_tls } kind;
    std::string bytes;
  };
  // Kept outside so that a test can look after the stream has died.
  struct Record {
    size_t steps_done = 0;
    bool finished = false;
    std::string mismatch;
  };

  explicit ScriptedStream(asio::any_io_executor executor, Record* record = nullptr)
      : executor_(executor), changed_(executor), record_(record ? record : &own_record_) {
    set_peer(wire::net::Address{"192.0.2.1", 143, false});
  }

  ScriptedStream& expect(std::string bytes) { return add(Step::expect, std::move(bytes)); }
  ScriptedStream& supply(std::string bytes) { return add(Step::supply, std::move(bytes)); }
  ScriptedStream& end() { return add(Step::end, {}); }
  ScriptedStream& start_tls() { return add(Step::start_tls, {}); }
  // Reads return at most so many bytes.
  ScriptedStream& break_reads(size_t bytes) {
    max_read_ = bytes;
    return *this;
  }
  // The n-th step (from 0) does not happen: the connection breaks instead.
  ScriptedStream& fail_at(size_t step) {
    fail_at_ = step;
    return *this;
  }
  size_t steps() const { return script_.size() + record_->steps_done; }
  const std::string& mismatch() const { return record_->mismatch; }

  awaitable<Result<size_t>> read_some(std::span<char> into, Timeout timeout) override {
    const Result<> ready = co_await wait_readable(timeout);
    if (!ready) co_return ready.error();
    if (script_.front().kind == Step::end) co_return size_t{0};
    std::string& bytes = script_.front().bytes;
    const size_t n = std::min({bytes.size(), into.size(), max_read_});
    bytes.copy(into.data(), n);
    bytes.erase(0, n);
    bytes_read_ += n;
    if (bytes.empty()) {
      next();
      match();
    }
    co_return n;
  }

  awaitable<Result<>> wait_readable(Timeout timeout) override {
    check_failure();
    auto ready = [this] { return broken_ || closed_ || current(Step::supply) || current(Step::end); };
    const bool in_time = co_await changed_.wait_for(ready, timeout);
    if (closed_) co_return Failure(Errc::closed, "closed");
    if (broken_) co_return Failure(Errc::closed, "broken by the script");
    if (!in_time) co_return Failure(Errc::timeout, "timeout");
    co_return Result<>();
  }

  using Stream::write_all;
  awaitable<Result<>> write_all(std::span<const std::string_view> pieces, Timeout) override {
    for (std::string_view piece : pieces) {
      written_ += piece;
      bytes_written_ += piece.size();
    }
    match();
    if (!record_->mismatch.empty()) co_return Failure(Errc::closed, "the script expects something else");
    if (broken_ || closed_) co_return Failure(Errc::closed, "broken by the script");
    co_return Result<>();
  }

  awaitable<Result<>> start_tls_server(std::shared_ptr<const wire::net::TlsServer>, std::string reply,
                                       Timeout timeout) override {
    const Result<> sent = co_await Stream::write_all(reply, timeout);
    if (!sent) co_return sent.error();
    co_return pretend_tls();
  }
  awaitable<Result<>> start_tls_client(std::shared_ptr<const wire::net::TlsClient>, std::string, Timeout) override {
    co_return pretend_tls();
  }
  awaitable<void> shutdown(Timeout) override {
    close();
    co_return;
  }
  void close() override {
    closed_ = true;
    changed_.notify_all();
  }
  bool is_open() const override { return !closed_; }
  void rebind(asio::any_io_executor executor) override { executor_ = executor; }
  asio::any_io_executor executor() const override { return executor_; }
  bool is_tls() const override { return tls_; }
  std::string tls_info() const override { return tls_ ? "scripted" : ""; }

 private:
  bool current(Step::Kind kind) const { return !script_.empty() && script_.front().kind == kind; }

  ScriptedStream& add(Step::Kind kind, std::string bytes) {
    record_->finished = false;
    script_.push_back(Step{kind, std::move(bytes)});
    changed_.notify_all();
    return *this;
  }

  void next() {
    script_.pop_front();
    record_->finished = script_.empty();
    ++record_->steps_done;
    check_failure();
    changed_.notify_all();
  }

  void check_failure() {
    if (record_->steps_done < fail_at_ || script_.empty()) return;
    broken_ = true;
    changed_.notify_all();
  }

  void match() {
    check_failure();
    while (!broken_ && current(Step::expect) && !written_.empty()) {
      const std::string& want = script_.front().bytes;
      const size_t n = std::min(want.size(), written_.size());
      if (written_.compare(0, n, want, 0, n) != 0) break;
      if (written_.size() < want.size()) return;
      written_.erase(0, n);
      next();
    }
    if (broken_ || written_.empty()) return;
    // Pipelined commands may come before the script has handed out all that answers the earlier ones.
    if (!script_.empty() && !current(Step::expect)) {
      changed_.notify_all();
      return;
    }
    record_->mismatch = "wrote \"" + written_ + "\" where the script has " +
                        (script_.empty() ? "ended" : "\"" + script_.front().bytes + "\"");
    changed_.notify_all();
  }

  Result<> pretend_tls() {
    check_failure();
    if (broken_) return Failure(Errc::closed, "broken by the script");
    while (current(Step::supply)) next();  // plain text before the handshake is discarded
    if (!current(Step::start_tls)) return Failure(Errc::closed, "the script expects no TLS here");
    next();
    tls_ = true;
    return {};
  }

  asio::any_io_executor executor_;
  wire::net::Event changed_;
  Record own_record_;
  Record* record_;
  std::deque<Step> script_;
  std::string written_;  // not matched yet
  size_t max_read_ = std::numeric_limits<size_t>::max();
  size_t fail_at_ = std::numeric_limits<size_t>::max();
  bool broken_ = false;
  bool closed_ = false;
  bool tls_ = false;
};

}  // namespace tests::support
