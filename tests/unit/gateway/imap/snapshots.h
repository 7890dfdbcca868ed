// Snapshots to look at in tests: a mailbox of a real store in a temporary directory, changed step by step.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "storage/account.h"
#include "storage/env.h"

namespace tests {

class Box {
 public:
  explicit Box(uint32_t messages = 0) {
    std::string pattern = (std::filesystem::temp_directory_path() / "fairlead-box-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    directory_ = pattern;
    storage::OpenOptions options;
    options.create = true;
    account_ = take(storage::Account::open(env_, directory_ / "store", options));
    storage::MailboxInfo info;
    info.name = "INBOX";
    auto batch = account_->begin();
    key_ = take(batch.create_mailbox(info));
    take(account_->commit(std::move(batch)));
    for (uint32_t i = 0; i < messages; ++i) add();
  }
  ~Box() {
    account_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;

  storage::MailboxSnapshotPtr now() const { return account_->snapshot(key_); }

  storage::Uid add(storage::Flags flags = {}, storage::InternalDate date = {}, uint64_t size = 100) {
    storage::NewMessage message;
    message.flags = std::move(flags);
    message.info.date = date;
    message.info.size = size;
    auto batch = account_->begin();
    const auto ids = take(batch.add_message(key_, message));
    take(account_->commit(std::move(batch)));
    return ids.uid;
  }
  void flag(storage::UidSet uids, storage::FlagChange change) {
    auto batch = account_->begin();
    take(batch.change_flags(key_, uids, change));
    take(account_->commit(std::move(batch)));
  }
  void add_flags(uint32_t uid, uint8_t system, std::vector<std::string> keywords = {}) {
    flag(storage::UidSet(storage::Uid(uid)), {wire::base::FlagsMode::add, {system, std::move(keywords)}});
  }
  void expunge(storage::UidSet uids) {
    auto batch = account_->begin();
    take(batch.expunge(key_, uids));
    take(account_->commit(std::move(batch)));
  }
  storage::BodyReader add_body(const std::string& bytes) {
    auto writer = account_->new_body();
    take(writer.write(wire::base::as_bytes(bytes)));
    storage::NewMessage message;
    message.info.size = bytes.size();
    auto batch = account_->begin();
    message.info.body = take(batch.add_body(take(writer.finish())));
    take(batch.add_message(key_, message));
    take(account_->commit(std::move(batch)));
    return take(account_->open_body(*message.info.body));
  }
  void checkpoint() { take(account_->checkpoint()); }
  void expunge(uint32_t uid) { expunge(storage::UidSet(storage::Uid(uid))); }

 private:
  template <class T>
  static T take(storage::Result<T> r) {
    if (!r) throw std::runtime_error(r.error().describe());
    if constexpr (!std::is_void_v<T>) return std::move(*r);
  }
  std::filesystem::path directory_;
  storage::PosixEnv env_;
  std::unique_ptr<storage::Account> account_;
  storage::MailboxKey key_;
};

}  // namespace tests
