// events: what happened to whom, for people.
#include <algorithm>

#include "gateway/control/sqlite_control.h"

namespace gateway::control {

namespace {

int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Result<void> SqliteControl::log_event(const std::string& user, const std::string& actor, const std::string& what,
                                      const std::string& evidence) {
  Result<Statement> s = db_.prepare("INSERT INTO events (at, user, actor, what, evidence) VALUES (?, ?, ?, ?, ?)");
  if (!s) return s.error();
  return s->bind(now()).bind(user).bind(actor).bind(what).bind(evidence).run();
}

Result<void> SqliteControl::note_event(const std::string& user, const std::string& actor, const std::string& what,
                                       const std::string& evidence) {
  const std::lock_guard lock(mutex_);
  return log_event(user, actor, what, evidence);
}

Result<std::vector<Control::Event>> SqliteControl::events(const std::string& user, size_t limit) {
  const std::lock_guard lock(mutex_);
  Result<Statement> s =
      db_.prepare("SELECT at, user, actor, what, evidence FROM events WHERE user = ? ORDER BY id DESC LIMIT ?");
  if (!s) return s.error();
  s->bind(user).bind(static_cast<int64_t>(std::min<size_t>(limit, 10'000)));
  std::vector<Event> out;
  for (;;) {
    const Result<bool> row = s->step();
    if (!row) return row.error();
    if (!*row) return out;
    out.push_back({s->number(0), s->text(1), s->text(2), s->text(3), s->text(4)});
  }
}

}  // namespace gateway::control
