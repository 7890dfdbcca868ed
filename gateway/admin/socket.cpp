#include "gateway/admin/socket.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <mutex>
#include <set>

#include "gateway/admin/http.h"
#include "gateway/control/secret.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;
using wire::net::Event;
using wire::net::Timeout;

constexpr size_t max_connections = 32;
constexpr Timeout idle_patience{60'000};
constexpr Timeout write_patience{60'000};
constexpr Timeout progress_interval{500};
constexpr std::string_view root = "/v1/";

// Reports of any core, read by the connection's: only the newest counts.
class LatestProgress : public Progress {
 public:
  void update(const migrate::Tally& tally) override {
    const std::lock_guard lock(mutex_);
    latest_ = tally;
    fresh_ = true;
  }
  std::optional<migrate::Tally> take() {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(fresh_, false)) return std::nullopt;
    return latest_;
  }

 private:
  std::mutex mutex_;
  migrate::Tally latest_;
  bool fresh_ = false;
};

std::string to_line(const migrate::Tally& t) {
  json::object p;
  p["user"] = t.user;
  p["mailbox"] = t.mailbox;
  p["mailboxes"] = t.mailboxes;
  p["mailboxes_total"] = t.mailboxes_total;
  p["messages"] = t.messages;
  p["messages_total"] = t.messages_total;
  p["bytes"] = t.bytes;
  p["bytes_total"] = t.bytes_total;
  json::object line;
  line["progress"] = std::move(p);
  return json::serialize(line) + "\n";
}

uint64_t number(const json::object& o, const char* key) {
  const json::value* v = o.if_contains(key);
  if (v == nullptr) return 0;
  json::error_code ec;
  const auto n = v->to_number<uint64_t>(ec);
  return ec ? 0 : n;
}

std::string text(const json::object& o, const char* key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string(v->get_string().data(), v->get_string().size()) : std::string();
}

std::string to_line(const VerbResult& r) {
  json::object line;
  line["exit"] = static_cast<int>(r.exit);
  line["result"] = r.json;
  line["text"] = r.text;
  return json::serialize(line) + "\n";
}

std::string error_line(const std::string& what) {
  json::object line;
  line["error"] = what;
  return json::serialize(line) + "\n";
}

class Working {
 public:
  explicit Working(size_t& count) : count_(count) { ++count_; }
  ~Working() { --count_; }
  Working(const Working&) = delete;
  Working& operator=(const Working&) = delete;

 private:
  size_t& count_;
};

// Shared by the verb and the connection that waits for it: a cancelled connection may be gone before its verb has
// ended.
struct Running {
  explicit Running(asio::any_io_executor executor) : done(std::move(executor)) {}
  LatestProgress progress;
  std::optional<VerbResult> result;
  Event done;
};

awaitable<void> run_verb(Handler handler, Context& context, json::object args, std::shared_ptr<Running> running) {
  try {
    VerbResult r = co_await handler(context, std::move(args), running->progress);
    running->result = std::move(r);
  } catch (...) {
    const std::exception_ptr error = std::current_exception();
    const Errc code = wire::net::is_cancelled(error) ? Errc::unavailable : Errc::internal;
    running->result = failed(Failure(code, wire::net::describe(error)));
  }
  running->done.notify_all();
}

}  // namespace

AdminSocket::AdminSocket(std::unique_ptr<wire::net::Listener> listener, asio::any_io_executor executor,
                         Context& context, Warn warn)
    : listener_(std::move(listener)),
      executor_(executor),
      context_(context),
      warn_(warn),
      tasks_(executor,
             [warn](const std::string&, std::exception_ptr e) { warn("admin socket: " + wire::net::describe(e)); }) {}

Result<std::unique_ptr<AdminSocket>> AdminSocket::open(asio::any_io_executor executor,
                                                       const std::filesystem::path& path, Context& context, Warn warn) {
  auto address = wire::net::parse_address("unix:" + path.string());
  if (!address) return address.error();
  auto listener = wire::net::Listener::open(executor, *address, 0600);
  if (!listener) return listener.error();
  std::unique_ptr<AdminSocket> socket(new AdminSocket(std::move(*listener), executor, context, std::move(warn)));
  socket->tasks_.spawn("admin accept", socket->accept());
  return socket;
}

awaitable<void> AdminSocket::stop(std::chrono::milliseconds grace) {
  stopping_ = true;
  listener_->close();
  wire::net::Wheel& wheel = wire::net::Wheel::of(executor_);
  const Timeout start = wheel.now();
  while (working_ > 0 && wheel.now() - start < grace) co_await wire::net::sleep_for(wire::net::Wheel::tick);
  tasks_.cancel_all();
  co_await tasks_.join();
}

awaitable<void> AdminSocket::accept() {
  for (;;) {
    Result<wire::net::StreamPtr> stream = co_await listener_->accept();
    if (!stream) {
      if (stream.error().code != Errc::closed) warn_("admin socket: " + stream.error().describe());
      co_return;
    }
    // Beyond the limit the connection is dropped, which the command line reports: nothing waits without bound.
    if (tasks_.running() <= max_connections) tasks_.spawn("admin", serve(std::move(*stream)));
  }
}

awaitable<void> AdminSocket::serve(wire::net::StreamPtr stream) {
  std::string pending;
  bool open = true;
  while (open && !stopping_) {
    Result<std::optional<HttpRequest>> read = co_await read_request(*stream, pending, idle_patience);
    if (!read) {
      if (read.error().code == Errc::malformed || read.error().code == Errc::limit) {
        const int status = read.error().code == Errc::limit ? 413 : 400;
        (void)co_await write_reply(*stream, status, error_line(read.error().note), false, write_patience);
      }
      break;
    }
    if (!*read) break;
    HttpRequest request = std::move(**read);
    std::string verb = request.target.starts_with(root) ? request.target.substr(root.size()) : std::string();
    std::replace(verb.begin(), verb.end(), '/', ' ');
    Result<> done;
    if (find_verb(verb) == nullptr) {
      done =
          co_await write_reply(*stream, 404, error_line("there is no such verb"), request.keep_alive, write_patience);
    } else if (request.method != "POST") {
      done = co_await write_reply(*stream, 405, error_line("POST the arguments as a JSON object"), request.keep_alive,
                                  write_patience);
    } else {
      done = co_await answer(*stream, std::move(verb), std::move(request.body), request.keep_alive);
    }
    open = done && request.keep_alive;
  }
  co_await stream->shutdown(Timeout(5'000));
}

awaitable<Result<>> AdminSocket::answer(wire::net::Stream& stream, std::string verb, std::string body,
                                        bool keep_alive) {
  json::error_code ec;
  json::value parsed = body.empty() ? json::value(json::object()) : json::parse(body, ec);
  control::wipe(body);
  if (ec || !parsed.is_object()) {
    co_return co_await write_reply(stream, 400, error_line("the body is not a JSON object"), keep_alive,
                                   write_patience);
  }
  const Working working(working_);
  Result<> begun = co_await write_stream_head(stream, keep_alive, write_patience);
  if (!begun) co_return begun;
  // The verb goes on to its end even if the client leaves: an operator's ^C must not stop a cutover half-way.
  auto running = std::make_shared<Running>(executor_);
  wire::net::TaskGroup group(executor_, [](const std::string&, std::exception_ptr) {});
  group.spawn(verb, run_verb(find_verb(verb)->run, context_, std::move(parsed.get_object()), running));
  auto finished = [&running] { return running->result.has_value(); };
  Result<> sent;
  for (;;) {
    const bool over = co_await running->done.wait_for(finished, progress_interval);
    if (over) break;
    const std::optional<migrate::Tally> tally = running->progress.take();
    if (!tally || !sent) continue;
    sent = co_await write_stream_chunk(stream, to_line(*tally), write_patience);
  }
  co_await group.join();
  if (!sent) co_return sent;
  sent = co_await write_stream_chunk(stream, to_line(*running->result), write_patience);
  if (!sent) co_return sent;
  co_return co_await write_stream_end(stream, write_patience);
}

awaitable<Result<VerbResult>> call_server(std::filesystem::path path, std::string verb, json::object args,
                                          Progress& progress) {
  const asio::any_io_executor here = co_await asio::this_coro::executor;
  (void)here;
  wire::net::ConnectOptions options("unix:" + path.string());
  Result<wire::net::StreamPtr> stream = co_await wire::net::connect(options);
  if (!stream) co_return Failure(Errc::not_found, "no server listens on " + path.string());
  std::optional<VerbResult> result;
  std::string complaint;
  const OnLine on_line = [&](std::string_view line) {
    json::error_code ec;
    const json::value v = json::parse({line.data(), line.size()}, ec);
    if (ec || !v.is_object()) return;
    const json::object& o = v.get_object();
    if (const json::value* p = o.if_contains("progress"); p != nullptr && p->is_object()) {
      const json::object& t = p->get_object();
      migrate::Tally tally;
      tally.user = text(t, "user");
      tally.mailbox = text(t, "mailbox");
      tally.mailboxes = number(t, "mailboxes");
      tally.mailboxes_total = number(t, "mailboxes_total");
      tally.messages = number(t, "messages");
      tally.messages_total = number(t, "messages_total");
      tally.bytes = number(t, "bytes");
      tally.bytes_total = number(t, "bytes_total");
      progress.update(tally);
    } else if (o.contains("exit") && o.contains("result") && o.at("result").is_object()) {
      VerbResult r;
      r.exit = static_cast<Exit>(std::min<uint64_t>(number(o, "exit"), 3));
      r.json = o.at("result").get_object();
      r.text = text(o, "text");
      result = std::move(r);
    } else {
      complaint = text(o, "error");
    }
  };
  std::string target(root);
  target += verb;
  std::replace(target.begin(), target.end(), ' ', '/');
  std::string body = json::serialize(args);
  // No time limit of its own: the server bounds its work, and a dead server closes the socket.
  Result<int> status = co_await post(**stream, std::move(target), std::move(body), on_line, wire::net::no_timeout);
  if (!status) co_return Failure(Errc::unavailable, "the server's admin socket: " + status.error().describe());
  if (!result) {
    co_return Failure(Errc::unavailable,
                      "the server did not run the verb: " + (complaint.empty() ? "no answer" : complaint));
  }
  co_return std::move(*result);
}

}  // namespace gateway::admin
