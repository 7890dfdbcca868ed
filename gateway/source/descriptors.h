// The process's file descriptors as one budget: clients, upstream connections and the logs of open accounts (design 5).
// Whoever is about to open one takes it here first, so that no open() ever meets EMFILE. Any thread; outlives its
// holds.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace gateway::source {

class Descriptors {
 public:
  explicit Descriptors(uint64_t limit) : limit_(limit) {}
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;

  // Gives back what it holds when it ends.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& o) noexcept : of_(std::exchange(o.of_, nullptr)), n_(o.n_) {}
    Hold& operator=(Hold&& o) noexcept {
      std::swap(of_, o.of_);
      std::swap(n_, o.n_);
      return *this;
    }
    ~Hold() {
      if (of_ != nullptr) of_->used_.fetch_sub(n_, std::memory_order_relaxed);
    }

   private:
    friend class Descriptors;
    Hold(Descriptors& of, uint64_t n) : of_(&of), n_(n) {}
    Descriptors* of_ = nullptr;
    uint64_t n_ = 0;
  };

  // Nothing: fewer than `n` would be left above `spare`.
  std::optional<Hold> take(uint64_t n, uint64_t spare = 0) {
    uint64_t used = used_.load(std::memory_order_relaxed);
    do {
      if (spare > limit_ || n > limit_ - spare || used > limit_ - spare - n) return std::nullopt;
    } while (!used_.compare_exchange_weak(used, used + n, std::memory_order_relaxed));
    return Hold(*this, n);
  }

  // What clients must leave, so that one who is connected can still open an account.
  uint64_t spare_for_accounts() const { return limit_ / 8 < 4 ? 4 : limit_ / 8; }
  uint64_t limit() const { return limit_; }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }

  // What a process may open that was started with this RLIMIT_NOFILE: the rest is for its own files (listeners,
  // databases, logs) and for what is open for a moment only (a snapshot, an older segment, a spool file).
  static uint64_t within(uint64_t rlimit) { return rlimit > 512 ? rlimit - 256 : rlimit / 2; }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> used_{0};
};

}  // namespace gateway::source
