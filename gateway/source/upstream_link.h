// One account's connections to its old server: made when needed, at most as many as the upstream's per_user limit
// allows and as its node-wide budget has places for, each lent to one task at a time. Remembers which mailbox each has
// selected, so that warm work costs no SELECT. On the account's core.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "gateway/source/upstream_budget.h"
#include "imapc/connection.h"
#include "wire/net/wheel.h"

namespace gateway::source {

using wire::base::Result;

class UpstreamLink {
 public:
  using Connect = std::function<awaitable<Result<std::unique_ptr<imapc::Connection>>>()>;

  using Use = UpstreamBudget::Use;

  struct Line {
    UpstreamBudget::Place place;  // dies after the connection
    std::unique_ptr<imapc::Connection> connection;
    std::string selected;  // empty: none
    bool writable = false;
    bool busy = false;
    bool idling = false;  // lent, but only to an IDLE, which ends when a session elsewhere has no connection
    uint64_t used = 0;    // order of last use
    std::chrono::steady_clock::time_point rests_since;
  };

  // The caller's alone until it is destroyed. The link outlives it.
  class Lease {
   public:
    Lease(UpstreamLink* link, Line* line) : link_(link), line_(line) {}
    Lease(Lease&& o) noexcept : link_(std::exchange(o.link_, nullptr)), line_(o.line_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (link_) link_->give_back(line_);
    }
    imapc::Connection* operator->() const { return line_->connection.get(); }
    imapc::Connection& operator*() const { return *line_->connection; }
    Line& line() const { return *line_; }
    void set_idling(bool yes) {
      line_->idling = yes;
      link_->note_resting();
    }

   private:
    UpstreamLink* link_;
    Line* line_;
  };

  // `max_lines` 0: no limit. `budget` null: no node-wide limit.
  UpstreamLink(asio::any_io_executor core, Connect connect, size_t max_lines, std::shared_ptr<UpstreamBudget> budget);

  // A connection for commands that need no mailbox. For sessions the wait is bounded: Errc::unavailable; migration
  // waits until it is its turn.
  awaitable<Result<Lease>> any(Use use = Use::session);
  // One that has `mailbox` selected already if that can be; the caller selects it else.
  awaitable<Result<Lease>> prefer(std::string mailbox, bool writable, Use use = Use::session);
  // Another one, for an IDLE that lasts; Errc::limit when only the last free one is left. Never waits for a place.
  awaitable<Result<Lease>> spare();

  // Polite LOGOUT on free lines; the others break. New leases are refused until reopen().
  awaitable<void> close();
  // Leases asked for before a close() stay refused.
  void reopen();
  // Breaks every line at once and refuses new leases; close() then says the polite goodbyes to nobody.
  void fence();
  uint64_t commands_sent() const;

 private:
  class Connecting;
  Line* pick(const std::string& mailbox, bool writable);
  awaitable<Result<Lease>> take(std::string mailbox, bool writable, bool must_leave_one, Use use);
  Line* resting();
  bool one_is_left();
  void note_resting();
  void shed(Use for_whom);
  void give_back(Line* line);
  void drop_dead();
  void forget(std::list<Line>::iterator it);

  asio::any_io_executor core_;
  Connect connect_;
  std::shared_ptr<UpstreamBudget> budget_;
  std::shared_ptr<UpstreamBudget::Keeper> keeper_;
  size_t max_lines_;
  wire::net::Event freed_;
  std::list<Line> lines_;
  size_t connecting_ = 0;
  uint64_t clock_ = 0;
  uint64_t commands_of_dead_ = 0;
  uint64_t generation_ = 0;  // counts fences: what was asked before one is void after it
  bool closed_ = false;
};

}  // namespace gateway::source
