// Lets writes pass while the account has an owner, holds them while it is frozen, and tells when none is under way
// (design 9, hand-over). On the account's core.
#pragma once

#include <chrono>
#include <utility>

#include "gateway/source/signal.h"
#include "wire/base/failure.h"

namespace gateway::source {

class WriteGate {
 public:
  explicit WriteGate(asio::any_io_executor core) : core_(core), changed_(core) {}

  // One write under way; ends when destroyed.
  class Pass {
   public:
    explicit Pass(WriteGate* gate) : gate_(gate) { ++gate_->inside_; }
    Pass(Pass&& o) noexcept : gate_(std::exchange(o.gate_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_ && --gate_->inside_ == 0) gate_->changed_.notify_all();
    }

   private:
    WriteGate* gate_;
  };

  // Waits while the gate is shut, at most `patience`: then Errc::unavailable.
  awaitable<wire::base::Result<Pass>> enter(std::chrono::milliseconds patience);

  void shut() { shut_ = true; }
  void open() {
    shut_ = false;
    changed_.notify_all();
  }
  bool is_shut() const { return shut_; }
  // Until no write is under way; false when that takes longer than `patience`.
  awaitable<bool> drained(std::chrono::milliseconds patience);

 private:
  awaitable<void> change_or(std::chrono::steady_clock::time_point deadline);

  asio::any_io_executor core_;
  Signal changed_;
  bool shut_ = false;
  size_t inside_ = 0;
};

}  // namespace gateway::source
