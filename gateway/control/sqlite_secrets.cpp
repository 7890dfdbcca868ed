// The secrets of users, sealed or hashed, and which key seals them.
#include "gateway/control/sqlite_control.h"

namespace gateway::control {

namespace {

// Sealed passwords are bound to the user, so that a row cannot borrow another's.
std::string seal_context(const std::string& user) { return "source password of " + user; }

}  // namespace

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

}  // namespace gateway::control
