// Everything that a store shows, as text: two stores are the same if and only if these are.
#pragma once

#include <string>

#include "storage/account.h"

namespace storage {

std::string describe(const Account& account);

// A change to a store and what it needs; tests share them.
Result<MailboxKey> create_mailbox(Account& account, const std::string& name, ModSeqMode mode = ModSeqMode::own);
Result<PreparedBody> prepare(Account& account, std::string_view text);
// Text of `size` octets that compresses badly, always the same for a seed.
std::string noise(size_t size, uint32_t seed);

}  // namespace storage
