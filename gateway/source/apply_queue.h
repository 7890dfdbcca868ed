// The order of own writes and observations of one account (design 7). Pure bookkeeping; the account's core.
//
// An own write takes a ticket when it is sent and releases it when its result is applied. An observation (poll, list,
// delta, IDLE) carries the moment at which it was *asked*. It may not remove a message, nor change its flags, where a
// ticket for that message was open at or after that moment: those UIDs are asked again.
#pragma once

#include <cstdint>
#include <list>

#include "wire/base/ids.h"
#include "wire/base/num_set.h"

namespace gateway::source {

class ApplyQueue {
  struct Entry;

 public:
  using Moment = uint64_t;
  class Observation;

  class Ticket {
   public:
    Ticket(ApplyQueue& queue, wire::base::MailboxKey box, wire::base::UidSet uids);
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    friend class Observation;
    ApplyQueue& queue_;
    uint64_t id_;
  };

  // Held while an observation is under way.
  class Observation {
   public:
    explicit Observation(ApplyQueue& queue);
    // One asked right behind an own write on the same connection: it has seen that write, so that one is no obstacle.
    Observation(ApplyQueue& queue, const Ticket& behind);
    ~Observation();
    Observation(const Observation&) = delete;
    Observation& operator=(const Observation&) = delete;
    // Of the UIDs in `box`, those that this observation may say nothing about.
    wire::base::UidSet untouchable(wire::base::MailboxKey box) const;
    bool untouchable(wire::base::MailboxKey box, wire::base::Uid uid) const;

   private:
    ApplyQueue& queue_;
    Moment asked_;
    uint64_t behind_ = 0;
    bool bars(const Entry& e, wire::base::MailboxKey box) const;
  };

  size_t open_tickets() const;
  size_t remembered() const { return entries_.size(); }

 private:
  struct Entry {
    uint64_t id;
    wire::base::MailboxKey box;
    wire::base::UidSet uids;
    Moment closed;  // 0: open
  };
  void forget_old();

  Moment now_ = 1;
  uint64_t last_id_ = 0;
  std::list<Entry> entries_;
  std::list<Moment> observations_;  // when asked, of those under way; ascending
};

}  // namespace gateway::source
