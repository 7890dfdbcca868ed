// What the caller lends to a running command: a place for fetched messages, the bytes of an APPEND, an ear for what the
// server says unasked. All are called on the connection's thread, from its reader or writer, and must not wait, throw
// or destroy the connection. Views in the arguments live only during the call.
#pragma once

#include <span>
#include <string_view>

#include "imapc/endpoint.h"
#include "wire/base/num_set.h"
#include "wire/imap/fetch_data.h"
#include "wire/imap/status_data.h"

namespace imapc {

// One FETCH reply. Body sections are in `sections` with kind streamed or as small values; their bytes have been given
// to on_body_* before.
using FetchItem = wire::imap::FetchData;
using wire::imap::FetchSection;

// For one message: any number of (on_body_begin, on_body_bytes..., on_body_end), then on_message. A server may send one
// message in several replies, and a message twice. If the connection breaks between begin and end, on_body_end never
// comes.
class FetchSink {
 public:
  virtual ~FetchSink() = default;
  // `so_far` holds what stood before the body in the reply: the UID may be missing and come in on_message.
  // `size` is 0 for NIL.
  virtual void on_body_begin(const FetchItem& so_far, const FetchSection& section, uint64_t size) {
    (void)so_far, (void)section, (void)size;
  }
  virtual void on_body_bytes(std::string_view bytes) { (void)bytes; }
  virtual void on_body_end() {}
  virtual void on_message(const FetchItem& item) = 0;
  // VANISHED (EARLIER), if asked for.
  virtual void on_vanished(const wire::base::UidSet& uids) { (void)uids; }

  // Back-pressure: while full() the connection reads nothing more, for any command. Whoever makes room calls
  // Connection::resume().
  virtual bool full() const { return false; }
};

// What the server sends that answers no command in flight. Sequence numbers are those of this connection's mailbox.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_exists(uint32_t count) { (void)count; }
  virtual void on_expunge(wire::base::SeqNo seq) { (void)seq; }             // also those our commands cause
  virtual void on_vanished(const wire::base::UidSet& uids) { (void)uids; }  // without (EARLIER)
  virtual void on_fetch(const FetchItem& item) { (void)item; }              // never with a body
  virtual void on_status(const wire::imap::StatusData& status) { (void)status; }
  virtual void on_alert(std::string_view peer_text) { (void)peer_text; }  // [ALERT]
  virtual void on_closed(const Failure& why) { (void)why; }               // once; nothing comes after it
};

// The bytes of a message to append.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // At least one byte, exactly the announced size in all. Should not block for long: it runs on the connection's
  // thread. A failure breaks the connection, since half a literal cannot be taken back.
  virtual Result<size_t> read(std::span<char> into) = 0;
};

class StringReader : public BodyReader {
 public:
  explicit StringReader(std::string_view bytes) : left_(bytes) {}  // the bytes outlive it
  Result<size_t> read(std::span<char> into) override {
    const size_t n = left_.copy(into.data(), into.size());
    left_.remove_prefix(n);
    return n;
  }

 private:
  std::string_view left_;
};

}  // namespace imapc
