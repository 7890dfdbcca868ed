// A user's place among the accounts of this node. Private to the registry's sources.
#pragma once

#include "gateway/source/registry.h"
#include "gateway/source/user_account.h"
#include "wire/net/tasks.h"

namespace gateway::source {

// A user's place in the map. Its members belong to the user's core, but `usage`, which the registry's lock guards.
struct Registry::Slot {
  std::string user;
  asio::any_io_executor core;
  std::unique_ptr<wire::net::Event> opened;
  bool opening = false;
  UserAccountPtr account;
  std::unique_ptr<wire::net::TaskGroup> tasks;  // the account that closes itself
  std::shared_ptr<const Usage> usage;           // null: not open
};

// Ends also when whoever opens is cancelled.
class Registry::Opening {
 public:
  explicit Opening(Slot& slot) : slot_(slot) { slot_.opening = true; }
  ~Opening() {
    slot_.opening = false;
    slot_.opened->notify_all();
  }
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;

 private:
  Slot& slot_;
};

}  // namespace gateway::source
