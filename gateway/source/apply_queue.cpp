#include "gateway/source/apply_queue.h"

#include <algorithm>

namespace gateway::source {

using wire::base::MailboxKey;
using wire::base::Uid;
using wire::base::UidSet;

ApplyQueue::Ticket::Ticket(ApplyQueue& queue, MailboxKey box, UidSet uids) : queue_(queue), id_(++queue.last_id_) {
  queue_.entries_.push_back({id_, box, std::move(uids), 0});
}

ApplyQueue::Ticket::~Ticket() {
  auto it = std::find_if(queue_.entries_.begin(), queue_.entries_.end(), [&](const Entry& e) { return e.id == id_; });
  it->closed = ++queue_.now_;
  queue_.forget_old();
}

ApplyQueue::Observation::Observation(ApplyQueue& queue) : queue_(queue), asked_(++queue.now_) {
  queue_.observations_.push_back(asked_);
}

ApplyQueue::Observation::~Observation() {
  queue_.observations_.remove(asked_);
  queue_.forget_old();
}

ApplyQueue::Observation::Observation(ApplyQueue& queue, const Ticket& behind) : Observation(queue) {
  behind_ = behind.id_;
}

bool ApplyQueue::Observation::bars(const Entry& e, MailboxKey box) const {
  return e.box == box && e.id != behind_ && (e.closed == 0 || e.closed > asked_);
}

bool ApplyQueue::Observation::untouchable(MailboxKey box, Uid uid) const {
  return std::any_of(queue_.entries_.begin(), queue_.entries_.end(),
                     [&](const Entry& e) { return bars(e, box) && e.uids.contains(uid); });
}

UidSet ApplyQueue::Observation::untouchable(MailboxKey box) const {
  UidSet out;
  for (const Entry& e : queue_.entries_) {
    if (bars(e, box)) out.add(e.uids);
  }
  return out;
}

size_t ApplyQueue::open_tickets() const {
  return static_cast<size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const Entry& e) { return e.closed == 0; }));
}

void ApplyQueue::forget_old() {
  const Moment oldest = observations_.empty() ? now_ + 1 : observations_.front();
  entries_.remove_if([&](const Entry& e) { return e.closed != 0 && e.closed <= oldest; });
}

}  // namespace gateway::source
