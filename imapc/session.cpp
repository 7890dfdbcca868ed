#include "imapc/session.h"

namespace imapc {

using wire::imap::Code;
using wire::imap::Condition;
using wire::imap::Framer;
using wire::imap::Response;
using wire::imap::Status;

namespace {
constexpr Timeout look_again{1'000};
}  // namespace

Session::Session(wire::net::StreamPtr stream, Options options)
    : executor_(stream->executor()),
      options_(std::move(options)),
      stream_(std::move(stream)),
      framer_(std::make_unique<Framer>(Framer::Side::client, options_.limits.framer, options_.leniency)),
      work_(executor_),
      room_(executor_),
      progress_(wire::net::Wheel::of(executor_), *this),
      tasks_(executor_, nullptr) {
  if (!options_.compress) return;
  auto wrapped = std::make_unique<DeflateStream>(std::move(stream_));
  deflate_ = wrapped.get();
  stream_ = std::move(wrapped);
}

void Session::start() {
  tasks_.spawn("imapc reader", read_loop(shared_from_this()));
  tasks_.spawn("imapc writer", write_loop(shared_from_this()));
}

void Session::Progress::expired() { session_.break_off(Failure(Errc::timeout, "the server did not answer in time")); }

// The deadline runs while somebody waits for an answer.
void Session::watch_progress() {
  const bool waiting = !broken_ && !flights_.empty() && !(flights_.size() == 1 && flights_.front().idle);
  if (waiting) {
    progress_.set(options_.progress_timeout);
  } else {
    progress_.clear();
  }
}

bool Session::held_up() const {
  const FetchSink* sink = !broken_ && last_taker_ ? last_taker_->sink() : nullptr;
  return sink && sink->full();
}

// Nothing is expected soon: the reader needs no buffer.
bool Session::quiet() const {
  return framer_->idle() && (flights_.empty() || (flights_.size() == 1 && flights_.front().idle));
}

wire::imap::Literals Session::literals() const {
  if (can("LITERAL+")) return wire::imap::Literals::plus;
  if (can("LITERAL-") || can("IMAP4rev2")) return wire::imap::Literals::minus;
  return wire::imap::Literals::sync;
}

wire::imap::Writer Session::begin(Outgoing& out, std::shared_ptr<Command> command) {
  command->set_tag("f" + std::to_string(++last_tag_));
  out.command = std::move(command);
  wire::imap::Writer w(out.text, literals());
  w.atom(out.command->tag()).sp();
  return w;
}

void Session::finish(Outgoing out, const wire::imap::Writer& w) {
  out.sync_points = w.sync_points();
  enqueue(std::move(out), w.ok());
}

void Session::finish_with_sync_point(Outgoing out, const wire::imap::Writer& w, size_t point) {
  out.sync_points.push_back(point);
  enqueue(std::move(out), w.ok());
}

void Session::enqueue(Outgoing out, bool writable) {
  if (broken_) {
    out.command->fail(*broken_);
    return;
  }
  if (!writable) {
    out.command->fail(Failure(Errc::usage, std::string(out.command->name()) + ": IMAP cannot carry this argument"));
    return;
  }
  flights_.push_back(Flight{out.command, false, false});
  queue_.push_back(std::move(out));
  watch_progress();
  work_.notify_all();
}

void Session::break_off(Failure why) {
  if (broken_) return;
  broken_.emplace(why);
  progress_.clear();
  stream_->close();
  for (Outgoing& out : queue_) {
    if (out.secret) wipe(out.text);
  }
  queue_.clear();
  std::deque<Flight> flights;
  flights.swap(flights_);
  body_command_.reset();
  last_taker_.reset();
  for (Flight& flight : flights) flight.command->fail(why);
  work_.notify_all();
  room_.notify_all();
  Observer* listener = observer;
  observer = nullptr;
  if (listener && !leaving_) listener->on_closed(why);
}

void Session::mark_sent(const std::shared_ptr<Command>& command) {
  ++commands_sent;
  for (auto flight = flights_.rbegin(); flight != flights_.rend(); ++flight) {
    if (flight->command != command) continue;
    flight->sent = true;
    return;
  }
}

void Session::forget(const std::shared_ptr<Command>& command) {
  std::erase_if(flights_, [&](const Flight& flight) { return flight.command == command; });
  watch_progress();
}

// ---- Reading ----

awaitable<void> Session::read_loop(std::shared_ptr<Session> self) {
  Session& s = *self;
  const Result<> first = s.consume(s.early_);
  s.early_ = std::string();
  if (!first) s.break_off(first.error());
  std::unique_ptr<char[]> buffer;
  while (!s.broken_) {
    if (s.quiet()) {
      buffer.reset();
      s.framer_->release();
      const Result<> ready = co_await s.stream_->wait_readable();
      if (!ready) {
        s.break_off(ready.error());
        break;
      }
    }
    if (!buffer) buffer = std::make_unique_for_overwrite<char[]>(s.options_.read_buffer);
    const std::span<char> space(buffer.get(), s.options_.read_buffer);
    const Result<size_t> n = co_await s.stream_->read_some(space);
    if (s.broken_) break;
    if (!n) {
      s.break_off(n.error());
      break;
    }
    if (*n == 0) {
      s.break_off(Failure(Errc::closed, "the server closed the connection"));
      break;
    }
    const Result<> consumed = s.consume(std::string_view(buffer.get(), *n));
    if (!consumed) {
      s.break_off(consumed.error());
      break;
    }
    s.watch_progress();
    if (!s.held_up()) continue;
    s.progress_.clear();  // it is us who keep the server waiting
    auto room = [&s] { return !s.held_up(); };
    // Looks again now and then, since a caller that drops its call says nothing.
    while (s.held_up()) co_await s.room_.wait_for(room, look_again);
    s.watch_progress();
  }
}

Result<> Session::consume(std::string_view in) {
  for (;;) {
    const Result<Framer::Event> event = framer_->next(in);
    if (!event) return event.error();
    switch (*event) {
      case Framer::Event::more:
        return {};
      case Framer::Event::literal:
        begin_body();
        break;
      case Framer::Event::chunk:
        body_chunk();
        break;
      case Framer::Event::frame: {
        Result<> handled = on_frame();
        if (!handled) return handled;
        if (broken_) return {};
        if (deflate_ && deflate_->just_switched() && !in.empty()) {
          return Failure(Errc::malformed, "the server goes on in plain text after COMPRESS");
        }
        break;
      }
    }
  }
}

// A literal is announced. Bodies of messages pass through; everything else is collected into its frame.
void Session::begin_body() {
  FetchItem so_far;
  const std::optional<FetchSection> section =
      wire::imap::fetch_literal_owner(framer_->text(), framer_->literals_so_far(), so_far, options_.leniency);
  if (!section) return;
  framer_->stream();
  if (!body_command_) {  // else an earlier body of the same reply has settled whose it is
    for (const Flight& flight : flights_) {
      if (!flight.sent || !flight.command->takes_body(so_far, *section)) continue;
      body_command_ = last_taker_ = flight.command;
      break;
    }
  }
  if (!body_command_) return;
  if (FetchSink* sink = body_command_->sink()) {
    FetchSection announced = *section;
    announced.value.kind = wire::imap::StringRef::Kind::streamed;
    announced.value.size = framer_->announced().size;
    sink->on_body_begin(so_far, announced, framer_->announced().size);
  }
}

void Session::body_chunk() {
  FetchSink* sink = body_command_ ? body_command_->sink() : nullptr;
  const std::string_view chunk = framer_->chunk();
  if (sink && !chunk.empty()) sink->on_body_bytes(chunk);
  if (!framer_->chunk_ends_literal()) return;
  if (sink) sink->on_body_end();
}

Result<> Session::on_frame() {
  Result<Response> response = wire::imap::parse_response(framer_->frame(), options_.leniency);
  if (!response) return response.error();
  Result<> done = dispatch(*response);
  body_command_.reset();
  return done;
}

void Session::learn(const Response& response) {
  if (const auto* offered = std::get_if<wire::imap::CapabilityData>(&response)) {
    capabilities = offered->capabilities;
    ++capability_changes;
  }
  if (const auto* on = std::get_if<wire::imap::EnabledData>(&response)) {
    for (const std::string& name : on->capabilities.names()) enabled.add(name);
  }
  if (const auto* id = std::get_if<wire::imap::IdData>(&response)) server_id = id->params;
  if (const auto* status = std::get_if<Status>(&response)) note_code(*status);
}

void Session::note_code(const Status& status) {
  if (status.code.code == Code::capability) {
    capabilities = status.code.capabilities;
    ++capability_changes;
  }
  if (status.code.code == Code::alert && observer) observer->on_alert(status.text);
}

Result<> Session::dispatch(Response& response) {
  learn(response);
  if (auto* status = std::get_if<Status>(&response)) {
    if (status->tagged()) return on_tagged(*status);
    if (status->condition == Condition::bye && !leaving_) {
      break_off(Failure(Errc::closed, "the server ended the connection (BYE)", status->text));
      return {};
    }
  }
  if (std::holds_alternative<wire::imap::Continuation>(response)) {
    if (expects_continuation_) {
      expects_continuation_ = false;
      continued_ = true;
      if (becomes_idle_) set_idle(*becomes_idle_, true);  // here, so that the reader gives up its buffer at once
      work_.notify_all();
      return {};
    }
    return unclaimed(response);
  }
  return offer(response);
}

Result<> Session::on_tagged(Status& status) {
  for (auto flight = flights_.begin(); flight != flights_.end(); ++flight) {
    if (flight->command->tag() != status.tag) continue;
    if (!flight->sent) break;
    const std::shared_ptr<Command> command = flight->command;
    flights_.erase(flight);
    if (last_taker_ == command) last_taker_.reset();
    unsolicited_ = 0;
    watch_progress();
    command->complete(std::move(status));
    work_.notify_all();  // the writer may be waiting for "+" in vain
    return {};
  }
  return Failure(Errc::malformed, "the server answered a command that is not in flight", status.tag);
}

Result<> Session::offer(Response& response) {
  // Also told to the observer, whoever caused it: it says what is in the mailbox.
  if (observer) {
    if (const auto* data = std::get_if<wire::imap::ExpungeData>(&response)) observer->on_expunge(data->seq);
    const auto* vanished = std::get_if<wire::imap::VanishedData>(&response);
    if (vanished && !vanished->earlier) observer->on_vanished(vanished->uids);
  }
  if (body_command_ && std::holds_alternative<FetchItem>(response)) {
    const Result<bool> taken = body_command_->take(response, true);
    if (!taken) return taken.error();
    if (*taken) return {};
  }
  bool head = true;
  for (const Flight& flight : flights_) {
    if (!flight.sent) break;
    if (flight.idle) continue;
    const std::shared_ptr<Command> command = flight.command;
    const Result<bool> taken = command->take(response, head);
    if (!taken) return taken.error();
    if (*taken) {
      if (command->sink()) last_taker_ = command;
      return {};
    }
    head = false;
  }
  return unclaimed(response);
}

Result<> Session::unclaimed(Response& response) {
  if (++unsolicited_ > options_.limits.max_unsolicited) {
    return Failure(Errc::limit, "the server sends too much that nobody asked for");
  }
  if (!observer) return {};
  if (const auto* exists = std::get_if<wire::imap::ExistsData>(&response)) observer->on_exists(exists->count);
  if (const auto* status = std::get_if<wire::imap::StatusData>(&response)) observer->on_status(*status);
  if (const auto* item = std::get_if<FetchItem>(&response)) observer->on_fetch(*item);
  return {};
}

}  // namespace imapc
