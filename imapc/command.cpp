#include "imapc/command.h"

namespace imapc {

using wire::imap::Code;
using wire::imap::Condition;

Result<bool> Command::take(wire::imap::Response&, bool) { return false; }
bool Command::takes_body(const FetchItem&, const FetchSection&) const { return false; }

// RFC 5530 and what later documents added.
Errc Command::refusal(const wire::imap::Status& status) const {
  switch (status.code.code) {
    case Code::nonexistent:
    case Code::try_create:
      return Errc::not_found;
    case Code::already_exists:
      return Errc::exists;
    case Code::authentication_failed:
    case Code::authorization_failed:
    case Code::expired:
    case Code::privacy_required:
      return Errc::auth;
    case Code::unavailable:
    case Code::in_use:
    case Code::throttled:
      return Errc::unavailable;
    case Code::limit:
    case Code::too_big:
      return Errc::limit;
    case Code::unknown_cte:
      return Errc::unsupported;
    default:
      return Errc::refused;
  }
}

void Command::complete(wire::imap::Status status) {
  if (done_) return;
  status_ = std::move(status);
  if (status_.condition == Condition::ok) {
    succeed(status_);
  } else if (status_.condition == Condition::bad) {
    failure_.emplace(refusal(status_), std::string(name_) + " was not understood (BAD)", status_.text);
  } else {
    failure_.emplace(refusal(status_), std::string(name_) + " was refused", status_.text);
  }
  done_ = true;
  changed_.notify_all();
}

void Command::fail(Failure failure) {
  if (done_) return;
  failure_.emplace(std::move(failure));
  done_ = true;
  changed_.notify_all();
}

awaitable<void> Command::wait() {
  auto is_done = [this] { return done_; };
  co_await changed_.wait_for(is_done);
}

}  // namespace imapc
