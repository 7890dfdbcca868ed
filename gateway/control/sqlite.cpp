// The control database's file and schema.
#include "gateway/control/sqlite_control.h"

namespace gateway::control {

namespace {

// PRAGMA user_version. A newer file is refused; an older one is migrated step by step in open_sqlite().
constexpr int64_t schema_version = 3;
constexpr int64_t application_id = 0x4661726c;  // "Farl"

constexpr const char* schema_1 = R"(
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE users (
  name TEXT PRIMARY KEY,
  upstream TEXT NOT NULL,
  owner INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  freeze_deadline INTEGER NOT NULL,
  state TEXT NOT NULL,
  error TEXT NOT NULL,
  last_sync INTEGER NOT NULL,
  commit_evidence TEXT NOT NULL,
  own_hash TEXT,
  source_secret BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE aliases (
  alias TEXT PRIMARY KEY,
  user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_user ON aliases(user);
CREATE TABLE tombstones (
  name TEXT PRIMARY KEY,
  removed INTEGER NOT NULL,
  epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  user TEXT NOT NULL,
  actor TEXT NOT NULL,
  what TEXT NOT NULL,
  evidence TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_user ON events(user, id);
)";

constexpr const char* schema_2 = R"(
CREATE TABLE log_leases (
  user TEXT PRIMARY KEY REFERENCES users(name) ON DELETE CASCADE,
  used INTEGER NOT NULL,
  upto INTEGER NOT NULL,
  file TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)";

constexpr const char* schema_3 = R"(
CREATE TABLE visits (
  user TEXT PRIMARY KEY REFERENCES users(name) ON DELETE CASCADE,
  seen INTEGER NOT NULL,
  at INTEGER NOT NULL,
  due INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)";

Result<int64_t> pragma(Database& db, std::string_view name) {
  Result<Statement> s = db.prepare("PRAGMA " + std::string(name));
  if (!s) return s.error();
  const Result<bool> row = s->step();
  if (!row) return row.error();
  return *row ? s->number(0) : 0;
}

Result<void> prepare_schema(Database& db) {
  Result<Transaction> t = Transaction::begin(db);  // two processes may open a new file at once
  if (!t) return t.error();
  const Result<int64_t> version = pragma(db, "user_version");
  if (!version) return version.error();
  const Result<int64_t> application = pragma(db, "application_id");
  if (!application) return application.error();
  if (*version == schema_version && *application == application_id) return {};
  if (*version > schema_version) {
    return Failure(Errc::unsupported, "the control database was written by a newer version: run that one");
  }
  const bool older = *version >= 1 && *application == application_id;
  if (!older && (*version != 0 || *application != 0)) {
    return Failure(Errc::corrupt, "the file at the control database's path is some other database");
  }
  const std::string all = (older ? std::string() : std::string(schema_1)) +
                          (older && *version >= 2 ? std::string() : std::string(schema_2)) + schema_3 +
                          "PRAGMA application_id = " + std::to_string(application_id) +
                          "; PRAGMA user_version = " + std::to_string(schema_version) + ";";
  Result<void> done = db.execute(all.c_str());
  if (done) done = t->commit();
  return done;
}

}  // namespace

std::string_view to_string(State s) {
  switch (s) {
    case State::added:
      return "added";
    case State::seeding:
      return "seeding";
    case State::tracking:
      return "tracking";
    case State::freezing:
      return "freezing";
    case State::committed:
      return "committed";
    case State::rolling_back:
      return "rolling_back";
    case State::failed:
      return "failed";
  }
  return "failed";
}

std::string_view to_string(Owner o) {
  switch (o) {
    case Owner::upstream:
      return "upstream";
    case Owner::frozen:
      return "frozen";
    case Owner::local:
      return "local";
  }
  return "frozen";
}

Result<std::unique_ptr<Control>> open_sqlite(const ControlOptions& options) {
  Result<Database> db = Database::open(options.database);
  if (!db) return db.error();
  Result<void> ready = prepare_schema(*db);
  if (!ready) return ready.error();
  return std::unique_ptr<Control>(std::make_unique<SqliteControl>(std::move(*db), options));
}

}  // namespace gateway::control
