// Slows down who guesses passwords, before the guesses reach an upstream that would ban this gateway for them (design
// 11). Counts attempts that did not succeed, by user and address together, by address, and by user, in a sliding
// window. Any thread. Memory is bounded.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>

namespace gateway {

class LoginGuard {
 public:
  struct Limits {
    int64_t window = 300;            // seconds
    uint32_t user_and_address = 10;  // a person who mistypes, a phone with an old password
    uint32_t address = 100;          // an office behind one address
    uint32_t user = 200;             // a botnet; high, since it locks the user out too
    size_t entries = 100'000;
  };

  LoginGuard() : LoginGuard(Limits()) {}
  explicit LoginGuard(Limits limits) : limits_(limits) {}

  // Every attempt counts as failed until it is known better, so that guesses made at once do not all slip through.
  bool admit(const std::string& user, const std::string& address, int64_t now);
  // The attempt was right, or nobody could tell.
  void forgive(const std::string& user, const std::string& address);

 private:
  struct Count {
    int64_t since = 0;
    uint32_t attempts = 0;
  };
  Count& count(const std::string& key, int64_t now);
  void forgive(const std::string& key);

  const Limits limits_;
  std::mutex mutex_;
  std::map<std::string, Count> counts_;
  std::deque<std::pair<int64_t, std::string>> order_;  // by the start of their windows
};

}  // namespace gateway
