// Numbers that a protocol names, each a type of its own: a sequence number never compiles where a UID is wanted.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace wire::base {

template <class Tag, class Rep>
struct Number {
  using rep = Rep;
  Rep value = 0;

  constexpr Number() = default;
  constexpr explicit Number(Rep v) : value(v) {}
  constexpr auto operator<=>(const Number&) const = default;
  constexpr Number next() const { return Number(static_cast<Rep>(value + 1)); }
  constexpr explicit operator bool() const { return value != 0; }
};

using Uid = Number<struct UidTag, uint32_t>;                  // RFC 3501 2.3.1.1; 0: none
using SeqNo = Number<struct SeqNoTag, uint32_t>;              // RFC 3501 2.3.1.2; from 1
using UidValidity = Number<struct UidValidityTag, uint32_t>;  // RFC 3501 2.3.1.1; 0: none
using ModSeq = Number<struct ModSeqTag, uint64_t>;            // RFC 7162; 63 bits; 0: none
using MailboxKey = Number<struct MailboxKeyTag, uint64_t>;    // the store's id of a mailbox, never reused in an account
using Lsn = Number<struct LsnTag, uint64_t>;                  // a frame's number in an account's log, from 1
using Epoch = Number<struct EpochTag, uint64_t>;              // placement epoch (design 1)

}  // namespace wire::base

template <class Tag, class Rep>
struct std::hash<wire::base::Number<Tag, Rep>> {
  size_t operator()(const wire::base::Number<Tag, Rep>& n) const noexcept { return std::hash<Rep>{}(n.value); }
};
