// The control database: who the users are, who owns their mail, and the secrets to reach it (design 9). Nothing about a
// message is in it. One small interface; SQLite behind it (gateway/control/sqlite.cpp).
//
// Blocking; any thread (one lock inside); call it on a pool thread. Every change is durable when it returns.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wire/base/failure.h"
#include "wire/base/ids.h"

namespace gateway::control {

using wire::base::Epoch;
using wire::base::Result;

enum class Owner : uint8_t { upstream = 1, frozen = 2, local = 3 };  // stored: never renumber

// User states of the cutover state machine (docs/migration.md). Stored as text.
enum class State { added, seeding, tracking, freezing, committed, rolling_back, failed };
std::string_view to_string(State s);
std::string_view to_string(Owner o);

struct Placement {
  Owner owner = Owner::upstream;
  Epoch epoch;
  int64_t freeze_deadline = 0;  // seconds since 1970; only while frozen
};

struct User {
  std::string name;  // canonical
  std::vector<std::string> aliases;
  std::string upstream;  // empty: local from the start
  Placement placement;
  State state = State::added;
  std::string error;      // last one, with its remedy; empty: none
  int64_t last_sync = 0;  // seconds since 1970 of the last complete sync; 0: never
  bool has_own_password = false;
  bool has_source_password = false;
  std::string commit_evidence;  // JSON that the commit left: what a rollback compares with
};

// How far an account's log has come (gateway/source/log_lease.h).
struct LogLease {
  wire::base::Lsn used, limit;
  std::string file;
};

// When somebody looked after the store of an account that nobody had open, and how far its log was then.
struct Visit {
  wire::base::Lsn seen;
  int64_t at = 0;   // seconds since 1970
  int64_t due = 0;  // when to come again whether or not anything was written; 0: not for that
};

class Control {
 public:
  virtual ~Control() = default;

  virtual Result<void> add_user(const User& user) = 0;            // Errc::exists; also a tombstone's name may come back
  virtual Result<void> remove_user(const std::string& name) = 0;  // leaves a tombstone
  virtual Result<std::optional<User>> find_user(const std::string& canonical_or_alias) = 0;
  virtual Result<bool> removed(const std::string& name) = 0;  // a tombstone: never enrolled again by itself
  virtual Result<std::vector<User>> users() = 0;

  // One durable compare-and-swap on (user, from-state, epoch) (I8). Errc::conflict when the row is not as expected.
  // Appends an event (actor, reason, evidence) in the same transaction.
  struct Transition {
    std::string user;
    State from;
    Epoch from_epoch;
    State to;
    Placement placement;
    std::string actor, reason, evidence;
  };
  virtual Result<void> transition(const Transition& t) = 0;
  virtual Result<void> set_error(const std::string& user, const std::string& error) = 0;
  virtual Result<void> set_synced(const std::string& user, int64_t when) = 0;

  // Secrets go in plain and are sealed (AES-256-GCM, key file) or hashed inside; they never come out but by these.
  virtual Result<void> set_source_password(const std::string& user, std::string_view password) = 0;
  virtual Result<std::optional<std::string>> source_password(const std::string& user) = 0;        // caller wipes it
  virtual Result<void> set_own_password(const std::string& user, std::string_view password) = 0;  // hashed
  // nullopt: the user has none. CPU-heavy: on the password pool.
  virtual Result<std::optional<bool>> check_own_password(const std::string& user, std::string_view password) = 0;

  virtual Result<std::optional<LogLease>> log_lease(const std::string& user) = 0;
  virtual Result<void> set_log_lease(const std::string& user, const LogLease& lease) = 0;

  // Accounts that were written to since they were visited last (or never were), which is `again` seconds ago or more,
  // and those whose time has come; who waits longest comes first.
  virtual Result<std::vector<std::string>> due_for_visit(int64_t now, int64_t again, size_t limit) = 0;
  virtual Result<void> note_visit(const std::string& user, const Visit& visit) = 0;

  virtual Result<void> note_event(const std::string& user, const std::string& actor, const std::string& what,
                                  const std::string& evidence) = 0;
  struct Event {
    int64_t when;
    std::string user, actor, what, evidence;
  };
  virtual Result<std::vector<Event>> events(const std::string& user, size_t limit) = 0;
};

struct ControlOptions {
  std::filesystem::path database;       // SQLite file, 0600
  std::filesystem::path seal_key_file;  // made at first use, 0600
};
Result<std::unique_ptr<Control>> open_sqlite(const ControlOptions& options);

}  // namespace gateway::control
