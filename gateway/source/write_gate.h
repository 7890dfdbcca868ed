// Lets writes pass while the account has an owner, holds them while it is frozen, and tells when none is under way
// (design 9, hand-over). On the account's core.
#pragma once

#include <utility>

#include "wire/net/wheel.h"

namespace gateway::source {

class WriteGate {
 public:
  explicit WriteGate(asio::any_io_executor core) : changed_(std::move(core)) {}

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
  awaitable<wire::base::Result<Pass>> enter(wire::net::Timeout patience);

  void shut() { shut_ = true; }
  void open() {
    shut_ = false;
    changed_.notify_all();
  }
  bool is_shut() const { return shut_; }
  // Until no write is under way; false when that takes longer than `patience`.
  awaitable<bool> drained(wire::net::Timeout patience);

 private:
  wire::net::Event changed_;
  bool shut_ = false;
  size_t inside_ = 0;
};

}  // namespace gateway::source
