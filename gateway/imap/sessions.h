// The live client sessions of this process: limits, a list for `who`, and a way to make one leave. Any thread; outlives
// every session. Shared by the protocols.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "wire/base/failure.h"

namespace gateway::imap {

struct SessionInfo {
  uint64_t id = 0;
  std::string protocol;  // "imap"
  std::string address;   // of the client, without the port
  std::string user;      // canonical; empty before the login
  std::string mailbox;   // selected
  std::string command;   // last or running
  bool tls = false;
  int64_t since = 0;  // seconds since 1970
};

class Sessions {
 public:
  using Leave = std::function<void(const std::string& why)>;  // called on any thread: posts, never blocks

  // 0: no limit.
  Sessions(uint32_t per_user, uint32_t per_address) : per_user_(per_user), per_address_(per_address) {}

  // A session's place in the list; leaves it when destroyed.
  class Ticket {
   public:
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    uint64_t id() const { return id_; }
    void on_leave(Leave leave);
    wire::base::Result<void> set_user(const std::string& user);  // Errc::limit: too many of this user
    void set_mailbox(const std::string& mailbox);
    void set_command(std::string_view command);
    void set_tls();

   private:
    friend class Sessions;
    Ticket(Sessions& all, uint64_t id) : all_(all), id_(id) {}
    Sessions& all_;
    uint64_t id_;
  };

  // Errc::limit: too many from this address. Errc::unavailable: the server is about to stop.
  wire::base::Result<std::unique_ptr<Ticket>> enter(std::string protocol, std::string address, bool tls);

  std::vector<SessionInfo> list() const;
  size_t kick_user(const std::string& user, const std::string& why);
  bool kick(uint64_t id, const std::string& why);
  // Everybody leaves, nobody enters any more.
  void close(const std::string& why);
  size_t count() const;

 private:
  struct Entry {
    SessionInfo info;
    Leave leave;
  };
  const uint32_t per_user_, per_address_;
  mutable std::mutex mutex_;
  bool closed_ = false;
  std::string why_closed_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Entry> entries_;
  std::map<std::string, uint32_t> by_user_, by_address_;
};

}  // namespace gateway::imap
