// log_leases: how far each account's log has come. visits: how far it had when somebody looked after it.
#include "gateway/control/sqlite_control.h"

namespace gateway::control {

using wire::base::Lsn;

Result<std::optional<LogLease>> SqliteControl::log_lease(const std::string& user) {
  const std::lock_guard lock(mutex_);
  Result<Statement> s = db_.prepare("SELECT used, upto, file FROM log_leases WHERE user = ?");
  if (!s) return s.error();
  const Result<bool> row = s->bind(user).step();
  if (!row) return row.error();
  if (!*row) return std::optional<LogLease>();
  LogLease out;
  out.used = Lsn(static_cast<uint64_t>(s->number(0)));
  out.limit = Lsn(static_cast<uint64_t>(s->number(1)));
  out.file = s->text(2);
  return std::optional<LogLease>(std::move(out));
}

Result<void> SqliteControl::set_log_lease(const std::string& user, const LogLease& lease) {
  const std::lock_guard lock(mutex_);
  Result<Statement> s = db_.prepare(
      "INSERT INTO log_leases VALUES (?, ?, ?, ?) ON CONFLICT(user) DO UPDATE SET used = excluded.used, "
      "upto = excluded.upto, file = excluded.file");
  if (!s) return s.error();
  return s->bind(user)
      .bind(static_cast<int64_t>(lease.used.value))
      .bind(static_cast<int64_t>(lease.limit.value))
      .bind(lease.file)
      .run();
}

Result<std::vector<std::string>> SqliteControl::due_for_visit(int64_t now, int64_t again, size_t limit) {
  const std::lock_guard lock(mutex_);
  Result<Statement> s = db_.prepare(
      "SELECT l.user FROM log_leases l LEFT JOIN visits v ON v.user = l.user WHERE l.used > 0 AND (v.user IS NULL OR "
      "(v.due <> 0 AND v.due <= ?) OR (v.seen <> l.used AND v.at <= ?)) ORDER BY coalesce(v.at, 0) LIMIT ?");
  if (!s) return s.error();
  s->bind(now).bind(now - again).bind(static_cast<int64_t>(limit));
  std::vector<std::string> out;
  for (;;) {
    const Result<bool> row = s->step();
    if (!row) return row.error();
    if (!*row) return out;
    out.push_back(s->text(0));
  }
}

Result<void> SqliteControl::note_visit(const std::string& user, const Visit& visit) {
  const std::lock_guard lock(mutex_);
  Result<Statement> s = db_.prepare(
      "INSERT INTO visits VALUES (?, ?, ?, ?) ON CONFLICT(user) DO UPDATE SET seen = excluded.seen, at = excluded.at, "
      "due = excluded.due");
  if (!s) return s.error();
  return s->bind(user).bind(static_cast<int64_t>(visit.seen.value)).bind(visit.at).bind(visit.due).run();
}

}  // namespace gateway::control
