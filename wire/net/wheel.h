// One coarse timer wheel per io_context: a deadline costs a list node instead of a timer (3 KB each as `op || timer`).
//
// Belongs to the one thread of its io_context, which must outlive every entry. Resolution: one tick (100 ms), always
// late, never early. A test may stop the clock and move it by hand.
#pragma once

#include <array>
#include <chrono>
#include <optional>

#include "wire/net/asio.h"
#include "wire/net/stream.h"

namespace wire::net {

class Wheel;

struct WheelLink {
  WheelLink* prev = nullptr;  // null: not linked
  WheelLink* next = nullptr;
};

// A deadline that calls back once. Unlinks itself when destroyed. Cheap to set again and again: a later deadline leaves
// the node where it is until its tick.
class WheelEntry : private WheelLink {
 public:
  explicit WheelEntry(Wheel& wheel) : wheel_(&wheel) {}
  WheelEntry(const WheelEntry&) = delete;
  WheelEntry& operator=(const WheelEntry&) = delete;
  virtual ~WheelEntry();

  void set(Timeout timeout);  // from now; no_timeout: clear
  void clear() { deadline_ = never; }
  void move_to(Wheel& wheel);  // on the old wheel's thread; clears

 protected:
  virtual void expired() = 0;  // on the wheel's thread; may set, clear or destroy any entry

 private:
  friend class Wheel;
  static constexpr uint64_t never = ~uint64_t{0};
  Wheel* wheel_;
  uint64_t deadline_ = never;  // in ticks
  uint64_t filed_ = never;     // the tick whose slot it is in
};

// Of an asio::io_context only.
class Wheel : public asio::execution_context::service {
 public:
  static constexpr Timeout tick{100};

  explicit Wheel(asio::execution_context& context);
  ~Wheel() override;
  // Also from another thread, which may only hand it to WheelEntry::move_to().
  static Wheel& of(const asio::any_io_executor& executor);

  // Tests: from here on time moves only by advance(), which runs what falls due.
  void use_manual_clock();
  void advance(Timeout by);

  Timeout now() const;  // since an arbitrary start

  static inline asio::execution_context::id id;

 private:
  friend class WheelEntry;
  static constexpr uint64_t slots = 512;

  void shutdown() override;
  void link(WheelEntry& e, uint64_t at);
  void unlink(WheelEntry& e);
  void arm(uint64_t at);
  void run_due();
  void run_slot(WheelLink& head, uint64_t now_tick);
  uint64_t next_filed_slot() const;

  std::array<WheelLink, slots> heads_;       // circular
  std::optional<asio::steady_timer> timer_;  // until shutdown()
  uint64_t armed_for_ = WheelEntry::never;
  bool manual_ = false;
  uint64_t linked_ = 0;
  uint64_t done_ = 0;  // every slot up to this tick was run
  std::chrono::steady_clock::time_point start_;
  Timeout manual_now_{0};
};

// A condition that coroutines of one thread wait for. Wake-ups may be spurious: the waiter looks again. Must outlive
// its waiters.
class Event {
 public:
  explicit Event(asio::any_io_executor executor);
  void notify_all();  // wakes those waiting now; nothing is remembered
  // False: the timeout passed.
  awaitable<bool> wait(Timeout timeout = no_timeout);
  // Until done() holds. False: the timeout passed first.
  template <class Predicate>
  awaitable<bool> wait_for(Predicate done, Timeout timeout = no_timeout) {
    Wheel& wheel = Wheel::of(timer_.get_executor());
    const Timeout start = wheel.now();
    while (!done()) {
      Timeout left = timeout;
      if (timeout != no_timeout) left = timeout - (wheel.now() - start);
      if (left <= Timeout(0)) co_return false;
      co_await wait(left);
    }
    co_return true;
  }

 private:
  asio::steady_timer timer_;
};

// Waits; ends early, by an exception, when its task is cancelled.
awaitable<void> sleep_for(Timeout time);

}  // namespace wire::net
