// What keeps an open account's log from growing for ever: rewriting, what was replaced, and who forbids it. A handle:
// as cheap as a reference, valid while the account is open. Any thread unless a member says otherwise.
#pragma once

#include <memory>

#include "storage/account.h"
#include "storage/pins.h"
#include "storage/rewrite.h"

namespace storage {

struct RetireOptions {
  int64_t linger = 3600;     // seconds in log/ beside what replaced it: for copies that have listed it
  int64_t keep = 24 * 3600;  // seconds since it was replaced until it is removed
};

class Space {
 public:
  explicit Space(Account& account);

  // --- pins; durable when they return, and from then on nothing that they forbid happens
  Result<void> pin(const std::string& name, PinKind kind, Lsn lsn, const std::string& reason);
  Result<void> unpin(const std::string& name);
  Result<std::vector<Pin>> pins();

  // Owner thread. Null: a pin forbids it, the store is read-only or failed, or another pass is under way.
  Result<std::unique_ptr<Rewrite>> begin(const RewriteOptions& options = {});
  RewriteOptions usual() const;  // for segments of the account's size
  // Moves what was replaced to retired/, removes what has been there long enough. Returns how many files went.
  Result<uint64_t> retire(const RetireOptions& options = {});
  // When retire() will have something to do, as far as its last call knows; seconds since 1970.
  std::optional<int64_t> retire_due() const;

 private:
  Account::Impl& impl_;
};

}  // namespace storage
