#include "wire/net/wheel.h"

namespace wire::net {

namespace {
// Beyond this a deadline is no deadline; also keeps the arithmetic far from overflow.
constexpr Timeout longest = std::chrono::hours(24 * 365);
}  // namespace

WheelEntry::~WheelEntry() {
  if (prev) wheel_->unlink(*this);
}

void WheelEntry::set(Timeout timeout) {
  if (timeout > longest) {
    clear();
    return;
  }
  const Timeout at = wheel_->now() + std::max(timeout, Timeout(0));
  deadline_ = static_cast<uint64_t>((at + Wheel::tick - Timeout(1)) / Wheel::tick);
  if (prev) {
    if (filed_ <= deadline_) return;  // filed again when that tick comes
    wheel_->unlink(*this);
  }
  wheel_->link(*this, deadline_);
}

void WheelEntry::move_to(Wheel& wheel) {
  clear();
  if (prev) wheel_->unlink(*this);
  wheel_ = &wheel;
}

Wheel::Wheel(asio::execution_context& context)
    : asio::execution_context::service(context),
      timer_(std::in_place, static_cast<asio::io_context&>(context)),
      start_(std::chrono::steady_clock::now()) {
  for (WheelLink& head : heads_) head.prev = head.next = &head;
}

Wheel::~Wheel() = default;

Wheel& Wheel::of(const asio::any_io_executor& executor) {
  return asio::use_service<Wheel>(asio::query(executor, asio::execution::context));
}

void Wheel::shutdown() {
  manual_ = true;  // nothing is armed from here on
  timer_.reset();
}

Timeout Wheel::now() const {
  if (manual_) return manual_now_;
  return std::chrono::duration_cast<Timeout>(std::chrono::steady_clock::now() - start_);
}

void Wheel::use_manual_clock() {
  manual_now_ = now();
  manual_ = true;
  timer_->cancel();
  armed_for_ = WheelEntry::never;
}

void Wheel::advance(Timeout by) {
  manual_now_ += by;
  run_due();
}

void Wheel::link(WheelEntry& e, uint64_t at) {
  at = std::max(at, done_ + 1);
  e.filed_ = at;
  WheelLink& head = heads_[at % slots];
  e.prev = head.prev;
  e.next = &head;
  head.prev->next = &e;
  head.prev = &e;
  ++linked_;
  if (at < armed_for_) arm(at);
}

void Wheel::unlink(WheelEntry& e) {
  e.prev->next = e.next;
  e.next->prev = e.prev;
  e.prev = e.next = nullptr;
  if (--linked_ > 0 || manual_) return;
  // An armed timer would keep run() from returning.
  timer_->cancel();
  armed_for_ = WheelEntry::never;
}

void Wheel::arm(uint64_t at) {
  armed_for_ = at;
  if (manual_) return;
  timer_->expires_at(start_ + tick * static_cast<int64_t>(at));
  timer_->async_wait([this](boost::system::error_code ec) {
    if (ec) return;  // armed anew or not needed
    run_due();
  });
}

void Wheel::run_due() {
  armed_for_ = 0;  // link() must not arm meanwhile
  const uint64_t now_tick = static_cast<uint64_t>(now() / tick);
  const uint64_t from = done_ + 1;
  const uint64_t steps = now_tick < from ? 0 : std::min(now_tick - done_, slots);
  done_ = std::max(done_, now_tick);
  for (uint64_t i = 0; i < steps; ++i) run_slot(heads_[(from + i) % slots], now_tick);
  armed_for_ = WheelEntry::never;
  if (linked_ > 0) arm(next_filed_slot());
}

void Wheel::run_slot(WheelLink& head, uint64_t now_tick) {
  if (head.next == &head) return;
  // Taken out first: an entry may be filed in this slot again, and expired() may destroy others.
  WheelLink batch;
  batch.next = head.next;
  batch.prev = head.prev;
  batch.next->prev = batch.prev->next = &batch;
  head.next = head.prev = &head;
  ++linked_;  // so that the wheel does not look empty on the way
  while (batch.next != &batch) {
    WheelEntry& e = static_cast<WheelEntry&>(*batch.next);
    const uint64_t filed = e.filed_;
    unlink(e);
    if (filed > now_tick) {
      link(e, filed);
    } else if (e.deadline_ == WheelEntry::never) {
      continue;
    } else if (e.deadline_ > now_tick) {
      link(e, e.deadline_);
    } else {
      e.clear();
      e.expired();
    }
  }
  --linked_;
}

// The earliest tick after done_ whose slot is not empty; an entry of a later round only makes us look once too often.
uint64_t Wheel::next_filed_slot() const {
  uint64_t at = done_ + 1;
  while (heads_[at % slots].next == &heads_[at % slots] && at < done_ + slots) ++at;
  return at;
}

Event::Event(asio::any_io_executor executor) : timer_(std::move(executor)) {
  timer_.expires_at(std::chrono::steady_clock::time_point::max());
}

void Event::notify_all() { timer_.cancel(); }

namespace {
class NotifyOnExpiry : public WheelEntry {
 public:
  NotifyOnExpiry(Wheel& wheel, asio::steady_timer& timer) : WheelEntry(wheel), timer_(timer) {}
  bool fired = false;

 private:
  void expired() override {
    fired = true;
    timer_.cancel();
  }
  asio::steady_timer& timer_;
};
}  // namespace

awaitable<bool> Event::wait(Timeout timeout) {
  boost::system::error_code ec;
  if (timeout == no_timeout) {
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    co_return true;
  }
  NotifyOnExpiry entry(Wheel::of(timer_.get_executor()), timer_);
  entry.set(timeout);
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  co_return !entry.fired;
}

awaitable<void> sleep_for(Timeout time) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  Event never(executor);
  auto not_yet = [] { return false; };
  co_await never.wait_for(not_yet, time);
}

}  // namespace wire::net
