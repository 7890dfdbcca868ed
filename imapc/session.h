// The machinery of one connection: a reader and a writer coroutine around the commands in flight.
//
// One thread. Shared by the Connection and its two tasks, so it lives until both have ended. The writer sends what is
// queued in one piece as far as nothing has to be waited for; the reader gives each reply to the oldest command that
// takes it, and what none takes to the observer.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "imapc/command.h"
#include "imapc/deflate_stream.h"
#include "imapc/endpoint.h"
#include "wire/imap/framer.h"
#include "wire/imap/writer.h"
#include "wire/net/tasks.h"
#include "wire/net/wheel.h"

namespace imapc {

// What is selected, for UNSELECT's substitutes. Shared with the commands that change it.
struct SelectedState {
  bool selected = false;
  bool read_only = false;
};

// A command on its way out.
struct Outgoing {
  std::shared_ptr<Command> command;
  std::string text;                 // with tag and CRLF
  std::vector<size_t> sync_points;  // offsets at which "+" is awaited
  BodyReader* body = nullptr;       // follows the text, then CRLF
  uint64_t body_size = 0;
  bool idle = false;    // wait, then DONE
  bool secret = false;  // sent alone and wiped
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(wire::net::StreamPtr stream, Options options);

  // Greeting and STARTTLS, before the tasks run.
  awaitable<Result<>> greet(Endpoint endpoint);
  void start();

  // The writer's Literals form fits what the server offers now.
  template <class Build>
  void submit(std::shared_ptr<Command> command, Build build) {
    Outgoing out;
    wire::imap::Writer w = begin(out, std::move(command));
    build(w);
    w.crlf();
    finish(std::move(out), w);
  }
  wire::imap::Writer begin(Outgoing& out, std::shared_ptr<Command> command);
  void finish(Outgoing out, const wire::imap::Writer& w);
  // For text that has a place to wait at other than its literals.
  void finish_with_sync_point(Outgoing out, const wire::imap::Writer& w, size_t point);
  wire::imap::Literals literals() const;

  // Everything in flight fails with it, and whatever comes later.
  void break_off(Failure why);
  void leave() { leaving_ = true; }  // LOGOUT was sent: the end is no failure

  bool broken() const { return broken_.has_value(); }
  const Failure& why_broken() const { return *broken_; }
  bool can(std::string_view capability) const { return capabilities.has(capability); }
  asio::any_io_executor executor() const { return executor_; }
  wire::net::Stream& stream() { return *stream_; }
  const Options& options() const { return options_; }
  size_t in_flight() const { return flights_.size(); }
  DeflateStream* deflate() { return deflate_; }  // null: COMPRESS is not wanted

  wire::imap::Capabilities capabilities, enabled;
  uint64_t capability_changes = 0;
  wire::imap::IdParams server_id;
  wire::imap::Status greeting;
  std::shared_ptr<SelectedState> selected = std::make_shared<SelectedState>();
  Observer* observer = nullptr;
  uint64_t commands_sent = 0;
  bool stop_idle = false;
  bool reissue_idle = false;  // the writer ended IDLE only because of its age
  void notify_writer() { work_.notify_all(); }
  void notify_reader() { room_.notify_all(); }

 private:
  struct Flight {
    std::shared_ptr<Command> command;
    bool sent = false;
    bool idle = false;
  };
  class Progress : public wire::net::WheelEntry {
   public:
    Progress(wire::net::Wheel& wheel, Session& session) : WheelEntry(wheel), session_(session) {}

   private:
    void expired() override;
    Session& session_;
  };

  awaitable<Result<wire::imap::Response>> next_response();
  awaitable<Result<wire::imap::Status>> early_command(std::string name);
  void learn(const wire::imap::Response& response);
  void note_code(const wire::imap::Status& status);

  static awaitable<void> read_loop(std::shared_ptr<Session> self);
  static awaitable<void> write_loop(std::shared_ptr<Session> self);
  awaitable<Result<>> write_one(Outgoing out);
  awaitable<Result<>> write_body(Outgoing& out);
  awaitable<Result<>> hold_idle(const Command& command);
  awaitable<Result<bool>> await_continuation(const Command& command);
  awaitable<Result<>> put(std::string_view bytes);
  void enqueue(Outgoing out, bool writable);
  void mark_sent(const std::shared_ptr<Command>& command);
  void set_idle(const Command& command, bool idle);
  void forget(const std::shared_ptr<Command>& command);

  Result<> consume(std::string_view in);
  void begin_body();
  void body_chunk();
  Result<> on_frame();
  Result<> dispatch(wire::imap::Response& response);
  Result<> on_tagged(wire::imap::Status& status);
  Result<> offer(wire::imap::Response& response);
  Result<> unclaimed(wire::imap::Response& response);
  void watch_progress();
  bool quiet() const;
  bool held_up() const;

  asio::any_io_executor executor_;
  Options options_;
  wire::net::StreamPtr stream_;
  DeflateStream* deflate_ = nullptr;  // stream_, if it is one
  std::unique_ptr<wire::imap::Framer> framer_;
  std::string early_;           // read and not yet consumed, before the reader runs
  std::deque<Flight> flights_;  // in order of submission
  std::deque<Outgoing> queue_;
  wire::net::Event work_;  // for the writer
  wire::net::Event room_;  // for the reader, held up by a full sink
  Progress progress_;
  uint64_t last_tag_ = 0;
  bool expects_continuation_ = false;
  bool continued_ = false;
  std::shared_ptr<Command> becomes_idle_;  // with the next "+"
  bool leaving_ = false;
  size_t unsolicited_ = 0;
  std::shared_ptr<Command> body_command_;  // whose sink gets the literal being read
  std::shared_ptr<Command> last_taker_;    // whose sink may be full
  std::optional<Failure> broken_;
  wire::net::TaskGroup tasks_;
};

}  // namespace imapc
