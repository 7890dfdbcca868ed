// What a commit leaves behind: the copy as it was at that moment, so that a rollback can tell whether anything has
// changed since. Pure.
#pragma once

#include <string>
#include <vector>

#include "gateway/source/copy.h"
#include "wire/base/failure.h"

namespace gateway::migrate {

// One JSON document, stored with the user.
std::string commit_evidence(const storage::Account& store);

// What is different now, in words, mailbox by mailbox; empty: nothing. Errc::corrupt: the evidence cannot be read.
wire::base::Result<std::vector<std::string>> changed_since_commit(const std::string& evidence,
                                                                  const storage::Account& store);

}  // namespace gateway::migrate
