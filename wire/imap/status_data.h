// STATUS: the items asked for, and the reply (RFC 3501 7.2.4, 7162, 8438, 8474, 7889). Errors: Errc::malformed,
// Errc::limit. Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "wire/base/ids.h"
#include "wire/imap/cursor.h"
#include "wire/imap/mailbox.h"
#include "wire/imap/writer.h"

namespace wire::imap {

// A set of items, one bit each.
struct StatusItems {
  enum Item : uint16_t {
    messages = 1,
    recent = 2,
    uid_next = 4,
    uid_validity = 8,
    unseen = 16,
    highest_modseq = 32,
    size = 64,
    deleted = 128,
    mailbox_id = 256,
    append_limit = 512,
    deleted_storage = 1024,
  };
  uint16_t bits = 0;
  bool has(Item item) const { return (bits & item) != 0; }
  bool operator==(const StatusItems&) const = default;
};

// "(...)", at least one item; an unknown one is malformed.
bool parse(Cursor& c, StatusItems& out);
void write(Writer& w, const StatusItems& items);

struct StatusData {
  MailboxName name;
  std::optional<uint32_t> messages, recent, unseen, deleted;
  std::optional<base::Uid> uid_next;
  std::optional<base::UidValidity> uid_validity;
  std::optional<base::ModSeq> highest_modseq;
  std::optional<uint64_t> size, deleted_storage, append_limit;
  std::string mailbox_id;  // empty if absent
  bool operator==(const StatusData&) const = default;
};

// After "* ": from the word STATUS on. Unknown items are skipped.
bool parse(Cursor& c, StatusData& out);
void write(Writer& w, const StatusData& data);

}  // namespace wire::imap
