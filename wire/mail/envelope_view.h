// An ENVELOPE that write_envelope() has written, read back: what is kept for FETCH tells SEARCH and SORT, too, what the
// header says. Views into its text, which must outlive it. Any thread; linear; bounds checked, so that any text may be
// given.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/mail/address.h"

namespace wire::mail {

class EnvelopeView {
 public:
  // In the order of RFC 3501 7.4.2.
  enum Item { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id };
  static constexpr size_t item_count = 10;

  // nullopt: it is not one.
  static std::optional<EnvelopeView> read(std::string_view text);

  static bool is_address_list(Item item) { return item >= from && item <= bcc; }
  // Of the others; nullopt: NIL. A NUL that the header had is 0x80 here.
  std::optional<std::string> text(Item item) const;
  std::vector<Address> addresses(Item item) const;

 private:
  std::array<std::string_view, item_count> items_;  // as written
};

}  // namespace wire::mail
