// Appends IMAP syntax to a buffer of the caller's (RFC 3501 9, RFC 7888). Strings become atoms, quoted strings or
// literals, whichever their bytes allow. What cannot be said safely (an atom with a space, a CR in text) makes the
// writer fail: ok() is false then and the buffer must not be sent. One owner, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/base/ids.h"
#include "wire/imap/cursor.h"

namespace wire::imap {

// How literals are announced.
enum class Literals : uint8_t {
  server,  // {n}, nobody waits
  sync,    // a client without LITERAL+: {n}, then wait for "+"
  plus,    // RFC 7888 LITERAL+: {n+}
  minus,   // RFC 7888 LITERAL-: {n+} up to 4096 bytes, else {n} and wait
};

class Writer {
 public:
  explicit Writer(std::string& out, Literals literals = Literals::server) : out_(out), literals_(literals) {}

  bool ok() const { return ok_; }
  std::string& buffer() { return out_; }
  // A client with synchronizing literals sends up to each of these offsets of the buffer, then awaits "+".
  const std::vector<size_t>& sync_points() const { return sync_points_; }

  Writer& raw(std::string_view s) { return out_.append(s), *this; }
  Writer& raw(char c) { return out_.push_back(c), *this; }
  Writer& sp() { return raw(' '); }
  Writer& crlf() { return raw("\r\n"); }
  Writer& number(uint64_t n);
  template <class Tag, class Rep>
  Writer& number(base::Number<Tag, Rep> n) {
    return number(uint64_t{n.value});
  }
  Writer& atom(std::string_view s);     // fails if it is none
  Writer& astring(std::string_view s);  // atom, quoted or literal
  Writer& string(std::string_view s);   // quoted or literal
  Writer& nstring(const std::optional<std::string>& s);
  Writer& nil() { return raw("NIL"); }
  Writer& list_mailbox(std::string_view s);
  Writer& literal(std::string_view s, bool binary = false);
  // Announces a literal whose bytes the caller sends itself, right after the buffer so far.
  Writer& literal_header(uint64_t size, bool binary = false);
  Writer& text(std::string_view s);  // resp-text: what is not printable becomes "?"
  // A slice of a parsed frame, with its literals put back in.
  Writer& slice(const RawSlice& s, std::span<const Literal> literals);

  void fail() { ok_ = false; }

 private:
  bool quotable(std::string_view s) const;
  Writer& quoted(std::string_view s);

  std::string& out_;
  std::vector<size_t> sync_points_;
  Literals literals_;
  bool ok_ = true;
};

}  // namespace wire::imap
