// A command in flight, and the caller's hold on it. One thread: the connection's.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "imapc/sink.h"
#include "wire/imap/response.h"
#include "wire/net/wheel.h"

namespace imapc {

// What the connection knows of a command. A subclass collects its untagged replies.
class Command {
 public:
  Command(asio::any_io_executor executor, const char* name) : name_(name), changed_(std::move(executor)) {}
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  const char* name() const { return name_; }  // "SELECT", for notes
  const std::string& tag() const { return tag_; }
  bool done() const { return done_; }
  const std::optional<Failure>& failure() const { return failure_; }
  // The tagged reply: condition, code, text. Meaningful once done, unless the connection broke.
  const wire::imap::Status& status() const { return status_; }

  // Whether this untagged reply answers the command; if so it is taken. `head`: no older command is in flight. May
  // report Errc::limit, which breaks the connection.
  virtual Result<bool> take(wire::imap::Response& reply, bool head);
  // A body literal begins: whether its bytes go to sink().
  virtual bool takes_body(const FetchItem& so_far, const FetchSection& section) const;
  virtual FetchSink* sink() const { return nullptr; }
  // The caller has gone: sinks and readers must not be touched any more.
  virtual void abandon() { abandoned_ = true; }
  bool abandoned() const { return abandoned_; }
  // Tagged OK.
  virtual void succeed(wire::imap::Status& status) { (void)status; }

  // By the connection.
  void set_tag(std::string tag) { tag_ = std::move(tag); }
  void complete(wire::imap::Status status);
  void fail(Failure failure);
  awaitable<void> wait();

 protected:
  // The Errc of a NO or BAD.
  virtual Errc refusal(const wire::imap::Status& status) const;

 private:
  const char* name_;
  std::string tag_;
  bool done_ = false;
  bool abandoned_ = false;
  std::optional<Failure> failure_;
  wire::imap::Status status_;
  wire::net::Event changed_;
};

template <class T>
class TypedCommand : public Command {
 public:
  using Command::Command;
  T value{};
};

// A command that was handed to the connection: it is sent whether or not anybody waits, so commands pipeline.
// Destroying it before the end abandons the command: what it was lent is not touched any more, its replies are dropped.
// Not tied to the connection's life: when that breaks or is destroyed, the result is Errc::closed.
template <class T>
class [[nodiscard]] Call {
 public:
  explicit Call(std::shared_ptr<TypedCommand<T>> command) : command_(std::move(command)) {}
  Call(Call&&) noexcept = default;
  Call& operator=(Call&& other) noexcept {
    if (this != &other) {
      drop();
      command_ = std::move(other.command_);
    }
    return *this;
  }
  ~Call() { drop(); }

  // The result, moved out: once. NO and BAD are Errc::refused, or what their code says (NONEXISTENT: not_found,
  // ALREADYEXISTS: exists, UNAVAILABLE, INUSE, THROTTLED: unavailable, AUTHENTICATIONFAILED: auth, LIMIT: limit...).
  // For a deadline of one command: wire::net::with_deadline(timeout, call.get()).
  awaitable<Result<T>> get() { return await(command_); }
  bool done() const { return command_->done(); }
  const wire::imap::Status& status() const { return command_->status(); }

 private:
  static awaitable<Result<T>> await(std::shared_ptr<TypedCommand<T>> command) {
    co_await command->wait();
    if (command->failure()) co_return *command->failure();
    co_return std::move(command->value);
  }
  void drop() {
    if (command_ && !command_->done()) command_->abandon();
  }

  std::shared_ptr<TypedCommand<T>> command_;
};

struct Nothing {};

}  // namespace imapc
