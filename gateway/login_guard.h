// Slows down who guesses passwords, before the guesses reach an upstream that would ban this gateway for them (design
// 11). Counts wrong attempts and those still running, by user and network together, by network, and by user, in a
// fixed window (seconds) from the first. A network is an IPv4 address or the /64 of an IPv6 one: who has one address of
// a /64 has them all. Any thread. Memory is bounded, and what is refused leaves nothing behind.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace gateway {

class LoginGuard {
 public:
  struct Limits {
    int64_t window = 300;            // seconds
    uint32_t user_and_network = 10;  // a person who mistypes, a phone with an old password
    uint32_t network = 100;          // an office behind one address
    uint32_t user = 200;             // a botnet; high, since it locks the user out too
    size_t entries = 100'000;
  };

  // busy: were all running attempts wrong, this one would be too many; ask again when some have ended.
  enum class Answer { admitted, busy, refused };

  class Attempt;

  LoginGuard() : LoginGuard(Limits()) {}
  explicit LoginGuard(Limits limits) : limits_(limits) {}

  size_t entries() const;

 private:
  using Keys = std::array<std::string, 3>;
  using Order = std::list<const std::string*>;  // the keys of counts_
  struct Count {
    int64_t since = 0;
    uint32_t failed = 0;
    uint32_t pending = 0;
    Order::iterator place;
  };
  using Counts = std::map<std::string, Count>;

  Answer admit(const Keys& keys, int64_t now);
  void finish(const Keys& keys, bool wrong) noexcept;
  void expire(int64_t now);
  bool make_room(size_t wanted);
  void erase_if_idle(Counts::iterator it);

  const Limits limits_;
  mutable std::mutex mutex_;
  Counts counts_;
  Order order_;  // by the start of their windows
};

// One login. Ends as a wrong one unless it is forgiven, however it ends: a guess does not become free by hanging up.
// Shares the guard, since the coroutine that holds it may be destroyed as late as its io_context.
class LoginGuard::Attempt {
 public:
  Attempt(std::shared_ptr<LoginGuard> guard, const std::string& user, const std::string& address);
  ~Attempt() { finish(true); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  // Until it is admitted, as often as wanted.
  Answer admit(int64_t now);
  // The password was right, or nobody could tell.
  void forgive() { finish(false); }

 private:
  void finish(bool wrong) noexcept;

  const std::shared_ptr<LoginGuard> guard_;
  const Keys keys_;
  bool running_ = false;
};

}  // namespace gateway
