// The control database in SQLite: one connection, one lock. Its functions stand by table: sqlite.cpp (the file and its
// schema), sqlite_users.cpp (users, aliases, tombstones, placement), sqlite_secrets.cpp, sqlite_leases.cpp,
// sqlite_events.cpp. For the .cpp files of this folder. Any thread; password hashing and sealing happen outside of the
// lock.
#pragma once

#include <chrono>
#include <mutex>

#include "gateway/control/control.h"
#include "gateway/control/database.h"
#include "gateway/control/seal.h"

namespace gateway::control {

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
  Result<std::optional<LogLease>> log_lease(const std::string& user) override;
  Result<void> set_log_lease(const std::string& user, const LogLease& lease) override;
  Result<std::vector<std::string>> due_for_visit(int64_t now, int64_t again, size_t limit) override;
  Result<void> note_visit(const std::string& user, const Visit& visit) override;
  Result<void> note_event(const std::string& user, const std::string& actor, const std::string& what,
                          const std::string& evidence) override;
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

}  // namespace gateway::control
