// resp-text-code: what stands in brackets after OK, NO, BAD, BYE (RFC 3501 7.1, 4315, 5530, 7162, 8474, 9051).
// A code we do not know, or a known one whose arguments we cannot read, is `other` with its text: a code never spoils
// the status that carries it. Values only; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/base/ids.h"
#include "wire/imap/capabilities.h"
#include "wire/imap/cursor.h"
#include "wire/imap/flags.h"
#include "wire/imap/sets.h"
#include "wire/imap/writer.h"

namespace wire::imap {

enum class Code : uint8_t {
  none,
  // without arguments
  alert,
  already_exists,
  authentication_failed,
  authorization_failed,
  cannot,
  client_bug,
  closed,
  contact_admin,
  corruption,
  expired,
  expunge_issued,
  has_children,
  in_use,
  limit,
  no_modseq,
  nonexistent,
  no_perm,
  not_saved,
  over_quota,
  parse,
  privacy_required,
  read_only,
  read_write,
  server_bug,
  throttled,
  try_create,
  uid_not_sticky,
  unavailable,
  unknown_cte,
  use_attr,
  compression_active,
  too_big,
  // with arguments
  append_uid,
  bad_charset,
  capability,
  copy_uid,
  highest_modseq,
  mailbox_id,
  modified,
  permanent_flags,
  uid_next,
  uid_validity,
  unseen,
  other,
};

struct RespCode {
  Code code = Code::none;
  uint64_t number = 0;                // uid_next, uid_validity, unseen, highest_modseq
  base::UidValidity uid_validity;     // append_uid, copy_uid
  UidList source;                     // copy_uid
  UidList uids;                       // copy_uid: the new UIDs; append_uid
  SequenceSet modified;               // modified
  FlagList flags;                     // permanent_flags
  Capabilities capabilities;          // capability
  std::vector<std::string> charsets;  // bad_charset
  std::string text;                   // mailbox_id: the id; other: everything between the brackets

  bool operator==(const RespCode&) const = default;

  RespCode() = default;
  RespCode(Code c) : code(c) {}  // NOLINT: a code without arguments is a code
  RespCode(Code c, uint64_t n) : code(c), number(n) {}
};

// "[...]". `none` writes nothing.
bool parse(Cursor& c, RespCode& out);
void write(Writer& w, const RespCode& code);

}  // namespace wire::imap
