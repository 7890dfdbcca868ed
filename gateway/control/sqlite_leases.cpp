// log_leases: how far each account's log has come.
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

}  // namespace gateway::control
