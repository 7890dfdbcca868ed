// What an operator asks for one user: bring the copy up to date, compare it with the source, move the user, move back.
// The verbs of gateway/admin call these; so does the server. Each runs on the account's core.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gateway/source/registry.h"
#include "wire/net/asio.h"

namespace gateway::migrate {

using wire::base::Result;

// What a long job has done so far. Called on the account's core, at most some times a second; must not block.
struct Tally {
  std::string user, mailbox;
  uint64_t mailboxes = 0, mailboxes_total = 0;
  uint64_t messages = 0, messages_total = 0;  // total 0: not known yet
  uint64_t bytes = 0, bytes_total = 0;
};
using OnProgress = std::function<void(const Tally&)>;

struct SyncReport {
  std::string user;
  uint64_t mailboxes = 0;          // that the source has
  uint64_t messages = 0;           // listed or changed in this run
  uint64_t bodies = 0, bytes = 0;  // fetched in this run
  uint64_t commands = 0;           // sent to the source
  double seconds = 0;
  struct Failed {
    std::string mailbox;
    uint32_t uid = 0;
    std::string why;
  };
  std::vector<Failed> failed;  // one bad message never stops a mailbox
};
awaitable<Result<SyncReport>> sync(source::Services& services, std::string user, OnProgress progress);

// Counts as in the contract's `verify`. Keys of `differences`: uidvalidity, uidnext, highestmodseq, missing, extra,
// flags, internaldate, size, modseq, body.
struct VerifyReport {
  std::string user;
  bool equal = true;
  struct Mailbox {
    std::string name;
    bool equal = true;
    uint64_t messages = 0;
    std::map<std::string, uint64_t> differences;
    std::vector<std::string> examples;  // for people
  };
  std::vector<Mailbox> mailboxes;
  bool subscriptions_equal = true;
  std::vector<std::string> not_preservable;  // "modseq: INBOX.Sent", "shared: user.x"
};
awaitable<Result<VerifyReport>> verify(source::Services& services, std::string user, bool full, OnProgress progress);

struct CutoverReport {
  std::string user;
  bool committed = false;
  std::vector<std::string> refused;    // why, each with its remedy; empty when committed
  std::vector<std::string> not_known;  // of the inventory, what the source did not tell
  uint64_t freeze_ms = 0;
  uint64_t epoch = 0;
};
awaitable<Result<CutoverReport>> cutover(source::Services& services, std::string user, std::vector<std::string> accept,
                                         OnProgress progress);

struct RollbackReport {
  std::string user;
  bool done = false;
  std::vector<std::string> cannot;  // what changed since the commit and would be lost
};
// Before any local change since the commit: instant. After: refuses and names what changed.
awaitable<Result<RollbackReport>> rollback(source::Services& services, std::string user);
// What rollback() would say, without doing it.
awaitable<Result<RollbackReport>> rollback_check(source::Services& services, std::string user);

struct ProbeReport {
  std::string upstream, banner;
  std::map<std::string, std::string> id;
  std::vector<std::string> capabilities;
  std::string prefix;
  char separator = 0;
  std::vector<std::string> other_namespaces, shared_namespaces;
  std::vector<std::string> sasl;
  bool condstore = false, qresync = false, uidplus = false, special_use = false, list_status = false, move = false;
  bool tls = false;
  // What needs a login; absent without one.
  std::optional<bool> uid_validity_persists, examine_uid_validity_persists, is_the_user;
  std::string identity_evidence;   // why is_the_user is what it is
  std::vector<std::string> rules;  // ids of the quirk rules that match; those that only watch are marked "(observed)"
  std::vector<std::string> not_preservable;
};
awaitable<Result<ProbeReport>> probe(source::Services& services, std::string upstream, std::optional<std::string> user,
                                     std::optional<std::string> password);

}  // namespace gateway::migrate
