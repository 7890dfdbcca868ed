// users, aliases, tombstones: who there is, and whose mail is where.
#include <algorithm>

#include "gateway/control/sqlite_control.h"

namespace gateway::control {

namespace {

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

}  // namespace

Result<bool> SqliteControl::exists(std::string_view sql, const std::string& name) {
  Result<Statement> s = db_.prepare(sql);
  if (!s) return s.error();
  return s->bind(name).step();
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

}  // namespace gateway::control
