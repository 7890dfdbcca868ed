// Which frames the present state needs: what a rewrite keeps (docs/storage-format.md, "Rewriting" argues each kind).
// A Liveness is a picture of one state; made by its own thread, then constant, any thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/frame.h"
#include "storage/mailbox_state.h"
#include "storage/record.h"

namespace storage {

class Liveness {
 public:
  struct AccountFacts {
    std::set<std::string> subscriptions;
    std::map<std::string, std::string> annotations;
    Epoch epoch;
  };
  explicit Liveness(AccountFacts facts) : facts_(std::move(facts)) {}

  // --- while it is made
  void add(const MailboxState& mailbox);
  void finish();

  // --- then
  // Whether a message has the body.
  bool uses(const Sha256& body) const;
  // Of frames that are no bodies. Not of those that carry a keyword for the first time: see KeywordsSeen.
  bool needs(const record::Op& op) const;
  bool has_mailbox(MailboxKey key) const { return boxes_.count(key) != 0; }

 private:
  struct Box {
    UidSet uids;
    std::optional<SyncCursor> cursor;
    ModSeq highest, floor;
    bool mirror = false;
  };
  const Box* box(MailboxKey key) const;
  bool needs_cursor(const Box& box, const SyncCursor& c) const;

  AccountFacts facts_;
  std::map<MailboxKey, Box> boxes_;
  std::vector<Sha256> bodies_;  // sorted once finished
};

// The keywords of the frames of one run, in order: the first frame that has one keeps the mailbox's table of keywords
// as it is, order and spelling included. One thread.
class KeywordsSeen {
 public:
  // Whether the frame has a keyword that no frame before it had, in a mailbox that is there.
  bool first_with(const Liveness& live, const record::Op& op);

 private:
  std::set<std::pair<MailboxKey, std::string>> seen_;
};

}  // namespace storage
