// FETCH of ENVELOPE, BODY and BODYSTRUCTURE from derived data: a slice of a thousand messages at a time is read on the
// pool and written from there into the session's buffer, without anything being allocated a message. The answers are
// those of fetch_content.h, which takes over where a message has no entry. On the account's core.
#pragma once

#include <memory>
#include <vector>

#include "gateway/imap/fetch_plan.h"
#include "gateway/imap/session.h"
#include "storage/derived.h"

namespace gateway::imap {

// The items that need no content, in the order of every FETCH reply.
// `now` is of `newest`.
void write_plain_items(Session& s, const FetchPlan& plan, wire::imap::FetchWriter& fetch, const View::Now& now,
                       const MailboxSnapshotPtr& newest);

class DerivedFetch {
 public:
  // Session, plan and indexes outlive it; the shown snapshot must not advance meanwhile.
  DerivedFetch(Session& s, const FetchPlan& plan, const std::vector<uint32_t>& indexes,
               const storage::DerivedData& data);
  // Writes messages from `at` on while there are entries. Returns how far it came.
  awaitable<size_t> run(size_t at);
  // How many that follow have no entry: at least one, if run() did not come to the end.
  size_t missing() const;
  // Some message so far has its bytes in the copy and no entry.
  bool fillable() const;

 private:
  struct Slice;
  void write(const Slice& slice);
  Session& s_;
  const FetchPlan& plan_;
  const std::vector<uint32_t>& indexes_;
  std::shared_ptr<Slice> slice_;  // shared with the pool, which runs to its end even when the session is cancelled
};

}  // namespace gateway::imap
