#include "gateway/control/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gateway::control {

namespace {

constexpr int busy_timeout_ms = 10'000;

Failure failure_of(sqlite3* db, int code) {
  const std::string note =
      "control database: " + std::string(db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Failure(Errc::no_space, note);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Failure(Errc::unavailable, note);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Failure(Errc::corrupt, note);
    case SQLITE_CONSTRAINT:
      return Failure(Errc::exists, note);
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return Failure(Errc::io, note);
    default:
      return Failure(Errc::internal, note);
  }
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
void Database::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

void Statement::check(int code) {
  ++next_;
  if (failed_ == SQLITE_OK) failed_ = code;
}

Statement& Statement::bind(std::string_view text) {
  check(sqlite3_bind_text64(statement_.get(), next_, text.data() == nullptr ? "" : text.data(), text.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind(int64_t number) {
  check(sqlite3_bind_int64(statement_.get(), next_, number));
  return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
  check(sqlite3_bind_blob64(statement_.get(), next_, bytes.data(), bytes.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_null() {
  check(sqlite3_bind_null(statement_.get(), next_));
  return *this;
}

Result<bool> Statement::step() {
  if (failed_ != SQLITE_OK) return failure_of(db_, failed_);
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return failure_of(db_, code);
}

Result<void> Statement::run() {
  Result<bool> row = step();
  if (!row) return row.error();
  return {};
}

std::string Statement::text(int column) const {
  // The bytes first: sqlite3_column_bytes() is that of the last conversion.
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_.get(), column); }
bool Statement::null(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

Result<Database> Database::open(const std::filesystem::path& file) {
  // SQLite would make it with the umask's mode; its -wal and -shm files take the mode of this one.
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat st {};
  if (fd < 0 || ::fstat(fd, &st) != 0 || ((st.st_mode & 077) != 0 && ::fchmod(fd, 0600) != 0)) {
    const Failure failure(errno == ENOSPC ? Errc::no_space : Errc::io,
                          "cannot open " + file.string() + " with mode 0600: " + std::strerror(errno));
    if (fd >= 0) ::close(fd);
    return failure;
  }
  ::close(fd);
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database db(raw);
  if (code != SQLITE_OK) return failure_of(raw, code);
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, busy_timeout_ms);
  Result<void> set = db.execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; "
      "PRAGMA secure_delete = ON");
  if (!set) return set.error();
  return db;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(db_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
  if (code != SQLITE_OK) return failure_of(db_.get(), code);
  return Statement(db_.get(), raw);
}

Result<void> Database::execute(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure_of(db_.get(), code);
  return {};
}

int64_t Database::changes() const { return sqlite3_changes64(db_.get()); }

Result<Transaction> Transaction::begin(Database& db) {
  Result<void> begun = db.execute("BEGIN IMMEDIATE");
  if (!begun) return begun.error();
  return Transaction(db);
}

Transaction::~Transaction() {
  if (db_ == nullptr) return;
  // Fails only when SQLite has rolled back by itself, which is what is wanted.
  [[maybe_unused]] const Result<void> done = db_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  Result<void> done = db_->execute("COMMIT");
  if (done) db_ = nullptr;
  return done;
}

}  // namespace gateway::control
