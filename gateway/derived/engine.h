// Keeps one account's derived data: opens the file when somebody asks, and fills it in the background, either for mail
// that arrives or for mailboxes whose entries a FETCH or SEARCH has missed. An account that nobody asks is never read.
//
// On the account's core; the work runs on a pool, one slice at a time, and stops at close(). The store outlives
// close(). Nothing here is an error for a client: where entries cannot be made or read, commands ask the messages'
// bytes.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>

#include "storage/account.h"
#include "storage/derived.h"
#include "wire/net/asio.h"
#include "wire/net/tasks.h"
#include "wire/net/wheel.h"

namespace gateway::derived {

class Engine {
 public:
  // A slice is bounded, so that accounts take turns on the pool.
  struct Pace {
    std::chrono::milliseconds quiet{3'000};  // after the last arrival: bulk deliveries are not slowed
    std::chrono::milliseconds most{60'000};  // but no arrival waits longer
    std::chrono::milliseconds slice{25};
  };
  using Warn = std::function<void(const std::string& what)>;

  Engine(asio::any_io_executor core, asio::thread_pool& pool, storage::Env& env, storage::Account& store, Warn warn,
         Pace pace);
  Engine(asio::any_io_executor core, asio::thread_pool& pool, storage::Env& env, storage::Account& store, Warn warn)
      : Engine(std::move(core), pool, env, store, std::move(warn), Pace()) {}
  ~Engine();

  // What there is by now; opened at the first call. Null once the engine is closed.
  awaitable<std::shared_ptr<storage::DerivedData>> data();
  // Entries of this mailbox were missed: they are made, in the mailbox's order.
  void want(wire::base::MailboxKey box);
  void arrived(wire::base::MailboxKey box, storage::Uid uid);
  // Until there is nothing to do. For tests and measurements.
  awaitable<void> settled();
  awaitable<void> close();

 private:
  struct Fill;
  awaitable<void> run();
  awaitable<void> wait_for_quiet();
  awaitable<bool> fill(wire::base::MailboxKey box, storage::Uid from);
  awaitable<void> tidy();
  void start();

  const asio::any_io_executor core_;
  asio::thread_pool& pool_;
  storage::Env& env_;
  storage::Account& store_;
  const Warn warn_;
  const Pace pace_;
  wire::net::Event changed_;
  wire::net::TaskGroup tasks_;
  std::shared_ptr<storage::DerivedData> data_;
  std::map<wire::base::MailboxKey, storage::Uid> due_;  // from which UID on
  bool opening_ = false, running_ = false, urgent_ = false, failed_ = false, looked_for_dead_ = false;
  std::chrono::steady_clock::time_point first_arrival_, last_arrival_;
  const std::shared_ptr<std::atomic<bool>> closing_ = std::make_shared<std::atomic<bool>>(false);
  // Set by the destructor: a task that ends with its core, without close(), must not touch what is gone.
  const std::shared_ptr<bool> gone_ = std::make_shared<bool>(false);
};

}  // namespace gateway::derived
