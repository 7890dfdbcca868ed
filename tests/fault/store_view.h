// Everything that a store shows, as text: two stores are the same if and only if these are.
#pragma once

#include <functional>
#include <string>

#include "storage/account.h"
#include "storage/rewrite.h"

namespace storage {

std::string describe(const Account& account);
std::string describe_all(const Account& account);  // and the keywords of each mailbox, in their order

// A change to a store and what it needs; tests share them.
Result<MailboxKey> create_mailbox(Account& account, const std::string& name, ModSeqMode mode = ModSeqMode::own);
Result<PreparedBody> prepare(Account& account, std::string_view text);
// One pass with steps of a few bytes; false: there was nothing to gain. `between` runs after every step.
Result<bool> rewrite(Account& account, const RewriteOptions& options, const std::function<void()>& between = {});
// index.snap while others go on; `between` runs after every step.
Result<void> checkpoint_in_steps(Account& account, const std::function<void()>& between = {});
// Options under which anything that can go goes.
RewriteOptions eager();

// Text of `size` octets that compresses badly, always the same for a seed.
std::string noise(size_t size, uint32_t seed);
// A small message that resembles the others, as real ones do.
std::string letter_text(uint32_t seed);

}  // namespace storage
