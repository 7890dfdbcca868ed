// The control database in SQLite. One connection, one lock; password hashing and sealing happen outside of the lock.
#include <algorithm>
#include <chrono>
#include <mutex>

#include "gateway/control/control.h"
#include "gateway/control/database.h"
#include "gateway/control/seal.h"

namespace gateway::control {

namespace {

// PRAGMA user_version. A newer file is refused; an older one is migrated step by step in open_sqlite().
constexpr int64_t schema_version = 1;
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

constexpr std::string_view user_columns =
    "SELECT name, upstream, owner, epoch, freeze_deadline, state, error, last_sync, commit_evidence, "
    "own_hash IS NOT NULL, source_secret IS NOT NULL FROM users";

int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Result<State> parse_state(const std::string& text) {
  for (const State s : {State::added, State::seeding, State::tracking, State::freezing, State::committed,
                        State::rolling_back, State::failed}) {
    if (text == to_string(s)) return s;
  }
  return Failure(Errc::corrupt, "control database: a user is in a state that this version does not know");
}

// Sealed passwords are bound to the user, so that a row cannot borrow another's.
std::string seal_context(const std::string& user) { return "source password of " + user; }

class SqliteControl : public Control {
 public:
  SqliteControl(Database db, ControlOptions options) : db_(std::move(db)), options_(std::move(options)) {}

  Result<void> add_user(const User& user) override;
  Result<void> remove_user(const std::string& name) override;
  Result<std::optional<User>> find_user(const std::string& canonical_or_alias) override;
  Result<bool> removed(const std::string& name) override;
  Result<std::vector<User>> users() override;
  Result<void> transition(const Transition& t) override;
  Result<void> set_error(const std::string& user, const std::string& error) override;
  Result<void> set_synced(const std::string& user, int64_t when) override;
  Result<void> set_source_password(const std::string& user, std::string_view password) override;
  Result<std::optional<std::string>> source_password(const std::string& user) override;
  Result<void> set_own_password(const std::string& user, std::string_view password) override;
  Result<std::optional<bool>> check_own_password(const std::string& user, std::string_view password) override;
  Result<std::vector<Event>> events(const std::string& user, size_t limit) override;

 private:
  // All with the lock held.
  Result<bool> exists(std::string_view sql, const std::string& name);
  Result<User> read_user(Statement& row);
  Result<void> insert_user(const User& user);
  Result<void> log_event(const std::string& user, const std::string& actor, const std::string& what,
                         const std::string& evidence);
  Result<void> update(std::string_view sql, const std::string& user, std::string_view value, bool blob);
  Result<std::optional<std::string>> secret_column(std::string_view sql, const std::string& user);
  // Opens the key file, remembers in the database which key it was, and refuses another one. Takes the lock itself.
  Result<Seal> open_seal();

  std::mutex mutex_;
  Database db_;  // under mutex_
  const ControlOptions options_;
};

Result<bool> SqliteControl::exists(std::string_view sql, const std::string& name) {
  Result<Statement> s = db_.prepare(sql);
  if (!s) return s.error();
  return s->bind(name).step();
}

Result<void> SqliteControl::log_event(const std::string& user, const std::string& actor, const std::string& what,
                                      const std::string& evidence) {
  Result<Statement> s = db_.prepare("INSERT INTO events (at, user, actor, what, evidence) VALUES (?, ?, ?, ?, ?)");
  if (!s) return s.error();
  return s->bind(now()).bind(user).bind(actor).bind(what).bind(evidence).run();
}

// Needs a transaction. A name is one user's or one alias, never two things.
Result<void> SqliteControl::insert_user(const User& user) {
  std::vector<std::string> names = user.aliases;
  names.push_back(user.name);
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end()) {
    return Failure(Errc::usage, "an alias is given twice, or is the user's own name");
  }
  int64_t epoch = static_cast<int64_t>(user.placement.epoch.value);
  for (const std::string& name : names) {
    const Result<bool> user_there = exists("SELECT 1 FROM users WHERE name = ?", name);
    if (!user_there) return user_there.error();
    const Result<bool> alias_there = exists("SELECT 1 FROM aliases WHERE alias = ?", name);
    if (!alias_there) return alias_there.error();
    if (*user_there || *alias_there) {
      return Failure(Errc::exists, name == user.name ? "there is a user or an alias of this name already"
                                                     : "the alias is taken by another user");
    }
    Result<Statement> old = db_.prepare("DELETE FROM tombstones WHERE name = ? RETURNING epoch");
    if (!old) return old.error();
    const Result<bool> had = old->bind(name).step();
    if (!had) return had.error();
    // What the former account of this name left on disk is of an older epoch: it can never pass for the new one's.
    if (*had && name == user.name) epoch = std::max(epoch, old->number(0) + 1);
  }
  Result<Statement> s = db_.prepare("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)");
  if (!s) return s.error();
  Result<void> done = s->bind(user.name)
                          .bind(user.upstream)
                          .bind(static_cast<int64_t>(user.placement.owner))
                          .bind(epoch)
                          .bind(user.placement.freeze_deadline)
                          .bind(to_string(user.state))
                          .bind(user.error)
                          .bind(user.last_sync)
                          .bind(user.commit_evidence)
                          .run();
  for (const std::string& alias : user.aliases) {
    if (!done) return done;
    Result<Statement> a = db_.prepare("INSERT INTO aliases VALUES (?, ?)");
    if (!a) return a.error();
    done = a->bind(alias).bind(user.name).run();
  }
  return done;
}

Result<void> SqliteControl::add_user(const User& user) {
  const std::lock_guard lock(mutex_);
  Result<Transaction> t = Transaction::begin(db_);
  if (!t) return t.error();
  Result<void> done = insert_user(user);
  if (done) done = log_event(user.name, "operator", "added", "");
  if (done) done = t->commit();
  return done;
}

Result<void> SqliteControl::remove_user(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Result<Transaction> t = Transaction::begin(db_);
  if (!t) return t.error();
  // The aliases too: a removed user must not come back under one of them.
  Result<Statement> aliases = db_.prepare(
      "INSERT OR REPLACE INTO tombstones SELECT a.alias, ?, u.epoch FROM aliases a JOIN users u ON u.name = a.user "
      "WHERE a.user = ? UNION ALL SELECT name, ?, epoch FROM users WHERE name = ?");
  if (!aliases) return aliases.error();
  const int64_t when = now();
  Result<void> done = aliases->bind(when).bind(name).bind(when).bind(name).run();
  if (!done) return done;
  Result<Statement> s = db_.prepare("DELETE FROM users WHERE name = ?");
  if (!s) return s.error();
  done = s->bind(name).run();
  if (!done) return done;
  if (db_.changes() == 0) return Failure(Errc::not_found, "there is no user of this name");
  done = log_event(name, "operator", "removed", "");
  if (done) done = t->commit();
  return done;
}

Result<User> SqliteControl::read_user(Statement& row) {
  User u;
  u.name = row.text(0);
  u.upstream = row.text(1);
  const int64_t owner = row.number(2);
  if (owner < 1 || owner > 3) {
    return Failure(Errc::corrupt, "control database: a placement that this version does not know");
  }
  u.placement.owner = static_cast<Owner>(owner);
  u.placement.epoch = Epoch(static_cast<uint64_t>(row.number(3)));
  u.placement.freeze_deadline = row.number(4);
  Result<State> state = parse_state(row.text(5));
  if (!state) return state.error();
  u.state = *state;
  u.error = row.text(6);
  u.last_sync = row.number(7);
  u.commit_evidence = row.text(8);
  u.has_own_password = row.number(9) != 0;
  u.has_source_password = row.number(10) != 0;
  Result<Statement> aliases = db_.prepare("SELECT alias FROM aliases WHERE user = ? ORDER BY alias");
  if (!aliases) return aliases.error();
  aliases->bind(u.name);
  for (;;) {
    const Result<bool> more = aliases->step();
    if (!more) return more.error();
    if (!*more) return u;
    u.aliases.push_back(aliases->text(0));
  }
}

Result<std::optional<User>> SqliteControl::find_user(const std::string& canonical_or_alias) {
  const std::lock_guard lock(mutex_);
  Result<Statement> s =
      db_.prepare(std::string(user_columns) + " WHERE name = ?1 OR name = (SELECT user FROM aliases WHERE alias = ?1)");
  if (!s) return s.error();
  const Result<bool> row = s->bind(canonical_or_alias).step();
  if (!row) return row.error();
  if (!*row) return std::optional<User>();
  Result<User> user = read_user(*s);
  if (!user) return user.error();
  return std::optional<User>(std::move(*user));
}

Result<bool> SqliteControl::removed(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return exists("SELECT 1 FROM tombstones WHERE name = ?", name);
}

Result<std::vector<User>> SqliteControl::users() {
  const std::lock_guard lock(mutex_);
  Result<Statement> s = db_.prepare(std::string(user_columns) + " ORDER BY name");
  if (!s) return s.error();
  std::vector<User> out;
  for (;;) {
    const Result<bool> row = s->step();
    if (!row) return row.error();
    if (!*row) return out;
    Result<User> user = read_user(*s);
    if (!user) return user.error();
    out.push_back(std::move(*user));
  }
}

Result<void> SqliteControl::transition(const Transition& t) {
  const std::lock_guard lock(mutex_);
  Result<Transaction> work = Transaction::begin(db_);
  if (!work) return work.error();
  Result<Statement> s = db_.prepare(
      "UPDATE users SET state = ?, owner = ?, epoch = ?, freeze_deadline = ?, "
      "commit_evidence = CASE WHEN ? THEN ? ELSE commit_evidence END WHERE name = ? AND state = ? AND epoch = ? "
      "AND ? >= epoch");
  if (!s) return s.error();
  const auto epoch = static_cast<int64_t>(t.placement.epoch.value);
  Result<void> done = s->bind(to_string(t.to))
                          .bind(static_cast<int64_t>(t.placement.owner))
                          .bind(epoch)
                          .bind(t.placement.freeze_deadline)
                          .bind(int64_t{t.to == State::committed})
                          .bind(t.evidence)
                          .bind(t.user)
                          .bind(to_string(t.from))
                          .bind(static_cast<int64_t>(t.from_epoch.value))
                          .bind(epoch)
                          .run();
  if (!done) return done;
  if (db_.changes() != 1) {
    return Failure(Errc::conflict, "the user is not in the state and epoch that this change started from");
  }
  std::string what = std::string(to_string(t.from)) + " -> " + std::string(to_string(t.to));
  if (!t.reason.empty()) what += ": " + t.reason;
  done = log_event(t.user, t.actor, what, t.evidence);
  if (done) done = work->commit();
  return done;
}

Result<void> SqliteControl::update(std::string_view sql, const std::string& user, std::string_view value, bool blob) {
  Result<Statement> s = db_.prepare(sql);
  if (!s) return s.error();
  if (blob) {
    s->bind_blob(value);
  } else {
    s->bind(value);
  }
  Result<void> done = s->bind(user).run();
  if (done && db_.changes() != 1) return Failure(Errc::not_found, "there is no user of this name");
  return done;
}

Result<void> SqliteControl::set_error(const std::string& user, const std::string& error) {
  const std::lock_guard lock(mutex_);
  return update("UPDATE users SET error = ? WHERE name = ?", user, error, false);
}

Result<void> SqliteControl::set_synced(const std::string& user, int64_t when) {
  const std::lock_guard lock(mutex_);
  Result<Statement> s = db_.prepare("UPDATE users SET last_sync = ? WHERE name = ?");
  if (!s) return s.error();
  Result<void> done = s->bind(when).bind(user).run();
  if (done && db_.changes() != 1) return Failure(Errc::not_found, "there is no user of this name");
  return done;
}

Result<std::optional<std::string>> SqliteControl::secret_column(std::string_view sql, const std::string& user) {
  Result<Statement> s = db_.prepare(sql);
  if (!s) return s.error();
  const Result<bool> row = s->bind(user).step();
  if (!row) return row.error();
  if (!*row) return Failure(Errc::not_found, "there is no user of this name");
  if (s->null(0)) return std::optional<std::string>();
  return std::optional<std::string>(s->text(0));
}

Result<Seal> SqliteControl::open_seal() {
  std::string expected;
  {
    const std::lock_guard lock(mutex_);
    Result<Statement> s = db_.prepare("SELECT value FROM meta WHERE key = 'seal_key'");
    if (!s) return s.error();
    const Result<bool> row = s->step();
    if (!row) return row.error();
    if (*row) expected = s->text(0);
  }
  // Once something may be sealed, a missing key is a loss to report, never a reason to make another.
  Result<Seal> seal = Seal::open(options_.seal_key_file, expected.empty());
  if (!seal) return seal.error();
  const std::string id = seal->key_id();
  if (expected.empty()) {
    const std::lock_guard lock(mutex_);
    Result<Statement> s =
        db_.prepare("INSERT INTO meta VALUES ('seal_key', ?) ON CONFLICT(key) DO UPDATE SET key = key RETURNING value");
    if (!s) return s.error();
    const Result<bool> row = s->bind(id).step();
    if (!row) return row.error();
    expected = s->text(0);
    // Runs the statement to its end, which is what commits it.
    const Result<bool> end = s->step();
    if (!end) return end.error();
  }
  if (expected != id) {
    return Failure(Errc::conflict, "the key file " + options_.seal_key_file.string() +
                                       " is not the one that this database's passwords are sealed with: restore it");
  }
  return seal;
}

Result<void> SqliteControl::set_source_password(const std::string& user, std::string_view password) {
  const Result<Seal> seal = open_seal();
  if (!seal) return seal.error();
  const Result<std::string> sealed = seal->seal(password, seal_context(user));
  if (!sealed) return sealed.error();
  const std::lock_guard lock(mutex_);
  return update("UPDATE users SET source_secret = ? WHERE name = ?", user, *sealed, true);
}

Result<std::optional<std::string>> SqliteControl::source_password(const std::string& user) {
  std::optional<std::string> sealed;
  {
    const std::lock_guard lock(mutex_);
    Result<std::optional<std::string>> got = secret_column("SELECT source_secret FROM users WHERE name = ?", user);
    if (!got) return got.error();
    sealed = std::move(*got);
  }
  if (!sealed) return std::optional<std::string>();
  const Result<Seal> seal = open_seal();
  if (!seal) return seal.error();
  const Result<Secret> plain = seal->unseal(*sealed, seal_context(user));
  if (!plain) return plain.error();
  return std::optional<std::string>(plain->value());
}

Result<void> SqliteControl::set_own_password(const std::string& user, std::string_view password) {
  const Result<std::string> hash = hash_password(password);
  if (!hash) return hash.error();
  const std::lock_guard lock(mutex_);
  return update("UPDATE users SET own_hash = ? WHERE name = ?", user, *hash, false);
}

Result<std::optional<bool>> SqliteControl::check_own_password(const std::string& user, std::string_view password) {
  std::optional<std::string> hash;
  {
    const std::lock_guard lock(mutex_);
    Result<std::optional<std::string>> got = secret_column("SELECT own_hash FROM users WHERE name = ?", user);
    if (!got) return got.error();
    hash = std::move(*got);
  }
  if (!hash) return std::optional<bool>();
  return std::optional<bool>(password_matches(password, *hash));
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
  if (*version != 0 || *application != 0) {
    return Failure(Errc::corrupt, "the file at the control database's path is some other database");
  }
  const std::string all = std::string(schema_1) + "PRAGMA application_id = " + std::to_string(application_id) +
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
