// Brings the next few messages' bytes from the owner into the copy, and from the copy into memory: at most 64 messages
// or about 4 MiB at a time, on the pool. For FETCH and SEARCH. On the account's core.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "gateway/imap/message_bytes.h"
#include "gateway/imap/session.h"
#include "gateway/source/header_cache.h"
#include "wire/mail/section.h"

namespace gateway::imap {

struct BodyNeeds {
  bool header = false;  // only the message's own header is looked at
  bool scan = false;    // everything is
  bool stream = false;  // the bytes as they are, too
  // All that is asked of a message, where that is sections alone: then derived data may tell which bytes to read.
  std::shared_ptr<const std::vector<wire::mail::SectionSpec>> sections;
};

struct LoadedBody {
  uint32_t shown_index = 0;
  Uid uid;
  std::shared_ptr<storage::BodyReader> reader;  // shared with a read under way on the pool
  uint64_t size = 0;
  source::HeaderBytes header;  // the header alone, where the content is not in the copy and is not needed
  MessageBytes bytes;
  bool complete = false;  // `bytes` is the whole message
  bool loaded = false;
  // Of BodyNeeds::sections, in place of bytes and scan; nullopt in it: there is no such section.
  std::optional<std::vector<std::optional<std::string>>> sections;
  storage::Sha256 name{};
  wire::mail::MessageScan scan;  // of `bytes`
  std::optional<Failure> failed;
  bool expunged = false;  // ... because others expunged it
};

// Shared with the pool, which runs to its end even when the session is cancelled.
struct BodyBatch {
  std::vector<LoadedBody> bodies;
  BodyNeeds needs;
  std::filesystem::path spool;
  std::shared_ptr<storage::DerivedData> derived;
};

// Walks over messages in order. The owner is asked for growing windows ahead of what is loaded, so that the first reply
// comes soon and a long transfer is not a round trip a batch; what it gives goes to the store, not into memory.
class BodyLoader {
 public:
  // `indexes` are of the shown snapshot, which must not advance meanwhile; session and indexes outlive it.
  BodyLoader(Session& s, const std::vector<uint32_t>& indexes, BodyNeeds needs)
      : s_(s), indexes_(indexes), needs_(needs) {}

  bool done() const { return at_ == indexes_.size(); }
  // At least one message. Those that cannot be had are in it with their failure.
  awaitable<std::shared_ptr<BodyBatch>> next();

 private:
  awaitable<void> ensure();
  awaitable<void> ask_headers(UidSet& missing);
  void open(LoadedBody& body);
  awaitable<void> mend(std::shared_ptr<BodyBatch> batch);
  UidSet damaged_in(const BodyBatch& batch) const;

  Session& s_;
  const std::vector<uint32_t>& indexes_;
  const BodyNeeds needs_;
  size_t at_ = 0, ensured_ = 0, window_ = 64;
  std::unordered_map<Uid, Failure> failed_;               // of the window
  std::unordered_map<Uid, source::HeaderBytes> headers_;  // the same
  std::shared_ptr<storage::DerivedData> derived_;
};

}  // namespace gateway::imap
