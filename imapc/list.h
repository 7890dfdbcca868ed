// The whole mailbox tree of an account, with subscriptions and STATUS, in as few round trips as the server allows:
// LIST-EXTENDED and LIST-STATUS where offered, else LIST, LSUB and pipelined STATUS.
// Errors: those of the commands; a STATUS that is refused for one mailbox leaves that one without (design 7: a failure
// is scoped).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "imapc/connection.h"

namespace imapc {

struct ListedMailbox {
  std::string name;
  char separator = '\0';                // '\0': NIL
  std::vector<std::string> attributes;  // as shown by LIST, special-use included, without \Subscribed and \NonExistent
  bool exists = true;                   // false: only subscribed (or \NonExistent)
  bool subscribed = false;
  std::optional<StatusData> status;
  std::optional<Failure> status_failure;
  bool has(std::string_view attribute) const;  // any case
  bool selectable() const { return exists && !has("\\Noselect"); }
};

struct TreeRequest {
  std::string reference;
  std::string pattern = "*";
  wire::imap::StatusItems status;  // no bits: not asked; HIGHESTMODSEQ is dropped where the server has no CONDSTORE
  explicit TreeRequest(wire::imap::StatusItems items = {}) : status(items) {}
};

// In the server's order; subscribed names that do not exist come last.
awaitable<Result<std::vector<ListedMailbox>>> list_tree(Connection& connection, TreeRequest request);

// STATUS of many mailboxes, pipelined. The results correspond to the names.
awaitable<std::vector<Result<StatusData>>> status_of(Connection& connection, std::vector<std::string> mailboxes,
                                                     wire::imap::StatusItems items);

}  // namespace imapc
