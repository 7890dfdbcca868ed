#include "gateway/imap/reply.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>

namespace gateway::imap {

std::string log_incident(const Asker& asker, const std::string& what) {
  static const auto start =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  static std::atomic<uint64_t> count{0};
  char id[40];
  std::snprintf(id, sizeof id, "%08llx-%llu", static_cast<unsigned long long>(start),
                static_cast<unsigned long long>(++count));
  spdlog::error("incident {} user={} client={} command={}: {}", id, wire::base::escape(asker.user), asker.client,
                asker.command, what);
  return id;
}

Reply reply_to(const Failure& failure, const Asker& asker, Code missing) {
  switch (failure.code) {
    case Errc::malformed:
      return Reply::bad(failure.note);
    case Errc::limit:
      return Reply::no(Code::limit, failure.note);
    case Errc::not_found:
      return Reply::no(missing, failure.note);
    case Errc::exists:
      return Reply::no(Code::already_exists, failure.note);
    case Errc::refused:
      return Reply::no(Code::cannot, failure.note);
    case Errc::unsupported:
      return Reply::no(Code::cannot, failure.note);
    case Errc::auth:
      return Reply::no(Code::authentication_failed, failure.note);
    case Errc::conflict:
      return Reply::no(Code::in_use, failure.note);
    case Errc::unavailable:
    case Errc::timeout:
    case Errc::closed:
      return Reply::no(Code::unavailable, failure.note);
    case Errc::no_space: {
      const std::string id = log_incident(asker, failure.describe());
      return Reply::no(Code::unavailable, "The server is out of disk space, incident " + id);
    }
    case Errc::corrupt: {
      const std::string id = log_incident(asker, failure.describe());
      return Reply::no(Code::corruption, "Stored data is damaged, incident " + id);
    }
    case Errc::io:
    case Errc::usage:
    case Errc::internal:
      break;
  }
  const std::string id = log_incident(asker, failure.describe());
  return Reply::no(Code::server_bug, "Internal error, incident " + id);
}

}  // namespace gateway::imap
