// SQLite with errors as values and statements that clean up after themselves. One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "wire/base/failure.h"

struct sqlite3;
struct sqlite3_stmt;

namespace gateway::control {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

class Database;

// A prepared statement, used once: bind in order, step, read columns. Must not outlive its Database.
class Statement {
 public:
  Statement(Statement&&) noexcept = default;

  Statement& bind(std::string_view text);
  Statement& bind(int64_t number);
  Statement& bind_blob(std::string_view bytes);
  Statement& bind_null();

  Result<bool> step();  // true: there is a row
  Result<void> run();   // for statements that give none

  std::string text(int column) const;  // NULL reads as empty
  int64_t number(int column) const;
  bool null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* s) const;
  };
  Statement(sqlite3* db, sqlite3_stmt* s) : db_(db), statement_(s) {}
  void check(int code);

  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int next_ = 1;
  int failed_ = 0;  // the first bind that failed
};

class Database {
 public:
  // The file is made with mode 0600 if absent. WAL, synchronous FULL, foreign keys, a busy timeout.
  static Result<Database> open(const std::filesystem::path& file);
  Database(Database&&) noexcept = default;

  Result<Statement> prepare(std::string_view sql);
  Result<void> execute(const char* sql);  // one or more statements without parameters
  int64_t changes() const;

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  explicit Database(sqlite3* db) : db_(db) {}
  std::unique_ptr<sqlite3, Close> db_;
};

// BEGIN IMMEDIATE ... COMMIT; rolled back unless commit() succeeded.
class Transaction {
 public:
  static Result<Transaction> begin(Database& db);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : db_(other.db_) { other.db_ = nullptr; }
  Transaction& operator=(Transaction&&) = delete;
  Result<void> commit();

 private:
  explicit Transaction(Database& db) : db_(&db) {}
  Database* db_;
};

}  // namespace gateway::control
