// The writer of a session: commands, their literals, IDLE.
#include "imapc/session.h"

namespace imapc {

namespace {
constexpr size_t max_batch = 64 * 1024;
constexpr size_t body_buffer = 64 * 1024;
}  // namespace

awaitable<Result<>> Session::put(std::string_view bytes) {
  const Result<> sent = co_await stream_->write_all(bytes, options_.write_timeout);
  if (sent && !broken_) watch_progress();
  co_return sent;
}

awaitable<void> Session::write_loop(std::shared_ptr<Session> self) {
  Session& s = *self;
  std::string batch;
  auto anything = [&s] { return s.broken_ || !s.queue_.empty(); };
  while (!s.broken_) {
    co_await s.work_.wait_for(anything);
    if (s.broken_) break;
    // What needs no answer in between leaves together.
    batch.clear();
    while (!s.queue_.empty() && batch.size() < max_batch) {
      Outgoing& next = s.queue_.front();
      if (!next.sync_points.empty() || next.body || next.idle || next.secret) break;
      batch += next.text;
      s.mark_sent(next.command);
      s.queue_.pop_front();
    }
    Result<> sent;
    if (!batch.empty()) {
      sent = co_await s.put(batch);
    } else {
      Outgoing one = std::move(s.queue_.front());
      s.queue_.pop_front();
      sent = co_await s.write_one(std::move(one));
    }
    if (!sent) s.break_off(sent.error());
  }
}

awaitable<Result<>> Session::write_one(Outgoing out) {
  if (out.body && out.command->abandoned()) {  // its reader is gone, and nothing was sent yet
    forget(out.command);
    co_return Result<>();
  }
  mark_sent(out.command);
  size_t from = 0;
  Result<> sent;
  for (size_t point : out.sync_points) {
    continued_ = false;
    expects_continuation_ = true;
    sent = co_await put(std::string_view(out.text).substr(from, point - from));
    from = point;
    if (!sent) break;
    const Result<bool> go_on = co_await await_continuation(*out.command);
    if (!go_on) sent = go_on.error();
    if (!sent || !*go_on) {
      from = out.text.size();  // refused: the rest is not sent
      out.body = nullptr;
      break;
    }
  }
  if (sent && out.idle) {
    continued_ = false;
    expects_continuation_ = true;
    becomes_idle_ = out.command;
  }
  if (sent && from < out.text.size()) sent = co_await put(std::string_view(out.text).substr(from));
  if (out.secret) wipe(out.text);
  if (sent && out.body) sent = co_await write_body(out);
  if (sent && out.idle) sent = co_await hold_idle(*out.command);
  co_return sent;
}

// False: the command has its tagged reply already.
awaitable<Result<bool>> Session::await_continuation(const Command& command) {
  auto settled = [this, &command] { return broken_ || continued_ || command.done(); };
  co_await work_.wait_for(settled);
  expects_continuation_ = false;
  if (broken_) co_return *broken_;
  co_return continued_;
}

awaitable<Result<>> Session::write_body(Outgoing& out) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(body_buffer);
  uint64_t left = out.body_size;
  while (left > 0) {
    if (broken_) co_return *broken_;
    if (out.command->abandoned()) co_return Failure(Errc::closed, "the message to append was given up half way");
    const std::span<char> space(buffer.get(), static_cast<size_t>(std::min<uint64_t>(body_buffer, left)));
    const Result<size_t> n = out.body->read(space);
    if (!n) co_return n.error();
    if (*n == 0 || *n > space.size())
      co_return Failure(Errc::internal, "the message to append is shorter than announced");
    left -= *n;
    // The command's end travels with the last bytes.
    const std::string_view pieces[2] = {std::string_view(buffer.get(), *n), left == 0 ? "\r\n" : ""};
    const std::span<const std::string_view> both(pieces);
    const Result<> sent = co_await stream_->write_all(both, options_.write_timeout);
    if (!sent) co_return sent.error();
    if (!broken_) watch_progress();
  }
  if (out.body_size == 0) co_return co_await put("\r\n");
  co_return Result<>();
}

void Session::set_idle(const Command& command, bool idle) {
  for (Flight& flight : flights_) {
    if (flight.command.get() == &command) flight.idle = idle;
  }
  watch_progress();
}

awaitable<Result<>> Session::hold_idle(const Command& command) {
  const Result<bool> idling = co_await await_continuation(command);
  becomes_idle_.reset();
  if (!idling) co_return idling.error();
  if (!*idling) co_return Result<>();
  auto enough = [this, &command] { return broken_ || stop_idle || !queue_.empty() || command.done(); };
  reissue_idle = !co_await work_.wait_for(enough, options_.idle_reissue);
  if (broken_) co_return *broken_;
  if (command.done()) co_return Result<>();
  set_idle(command, false);  // from now on an answer is due
  co_return co_await put("DONE\r\n");
}

}  // namespace imapc
