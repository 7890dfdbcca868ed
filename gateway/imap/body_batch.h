// Brings the next few messages' bytes from the owner into the copy, and from the copy into memory: at most 64 messages
// or about 4 MiB at a time, on the pool. For FETCH and SEARCH. On the account's core.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gateway/imap/message_bytes.h"
#include "gateway/imap/session.h"
#include "wire/mail/part.h"

namespace gateway::imap {

struct BodyNeeds {
  bool header = false;  // only the message's own header is looked at
  bool scan = false;    // everything is
  bool stream = false;  // the bytes as they are, too
};

struct LoadedBody {
  uint32_t shown_index = 0;
  Uid uid;
  std::shared_ptr<storage::BodyReader> reader;  // shared with a read under way on the pool
  uint64_t size = 0;
  MessageBytes bytes;
  bool complete = false;         // `bytes` is the whole message
  wire::mail::MessageScan scan;  // of `bytes`
  std::optional<Failure> failed;
  bool expunged = false;  // ... because others expunged it
};

// Shared with the pool, which runs to its end even when the session is cancelled.
struct BodyBatch {
  std::vector<LoadedBody> bodies;
  BodyNeeds needs;
  std::filesystem::path spool;
};

// From indexes[at] on, at least one, in order.
awaitable<std::shared_ptr<BodyBatch>> load_bodies(Session& s, const std::vector<uint32_t>& indexes, size_t at,
                                                  BodyNeeds needs);

}  // namespace gateway::imap
