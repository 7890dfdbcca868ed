// What went wrong, for whom. Values only; any thread.
#pragma once

#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace wire::base {

// The questions a caller may have to answer differently. Never stored, so the order is free.
enum class Errc {
  malformed,    // bytes that do not follow the grammar
  limit,        // a bound of ours was exceeded (line, literal, depth, count, quota)
  not_found,    // mailbox, message, user, upstream: it is not there
  exists,       // it is there already
  refused,      // the peer, or a rule of ours, said no: NO, -ERR, policy
  auth,         // wrong credentials, or not allowed to act as this user
  unsupported,  // the peer or this build cannot do it
  conflict,     // stale epoch, UIDVALIDITY changed, the same UID with other content
  unavailable,  // not now: upstream down, overloaded, frozen
  timeout,      // a deadline passed
  closed,       // the peer or the session went away
  no_space,     // the disk is full
  io,           // the operating system refused; errno text is in the note
  corrupt,      // bytes on disk that fail their checksum or contradict others
  usage,        // wrong arguments or configuration
  internal,     // a broken invariant of ours
};

std::string_view to_string(Errc code);

// `note` is ours, ASCII, safe for logs and for clients. `peer_text` is what a stranger said: it is escaped in logs and
// never forwarded to another user. Neither ever holds a secret.
struct [[nodiscard]] Failure {
  Errc code = Errc::internal;
  std::string note;
  std::string peer_text;

  Failure() = default;  // Result::error() of a value
  Failure(Errc c, std::string n, std::string peer = {}) : code(c), note(std::move(n)), peer_text(std::move(peer)) {}

  // "note: peer text (escaped)", for logs.
  std::string describe() const;
};

// For what nobody below the session or job root can answer (style: throw). One catch a root.
class FailureError : public std::runtime_error {
 public:
  explicit FailureError(Failure f) : std::runtime_error(f.describe()), failure_(std::move(f)) {}
  const Failure& failure() const { return failure_; }

 private:
  Failure failure_;
};

[[noreturn]] void throw_exception_from_error(const Failure& f, const boost::source_location&);

template <class T = void>
using Result = boost::system::result<T, Failure>;

// Printable ASCII of a stranger's bytes, at most `limit` of them: \xNN for the rest.
std::string escape(std::string_view bytes, size_t limit = 200);

}  // namespace wire::base
