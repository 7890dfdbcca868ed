// The values that a store takes and gives. No I/O; immutable once made; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "wire/base/bytes.h"
#include "wire/base/failure.h"
#include "wire/base/flags.h"
#include "wire/base/ids.h"
#include "wire/base/num_set.h"

namespace storage {

using wire::base::Epoch;
using wire::base::Errc;
using wire::base::Failure;
using wire::base::Flags;
using wire::base::FlagsMode;
using wire::base::InternalDate;
using wire::base::Lsn;
using wire::base::MailboxKey;
using wire::base::ModSeq;
using wire::base::Result;
using wire::base::Sha256;
using wire::base::Uid;
using wire::base::UidSet;
using wire::base::UidValidity;

// Who numbers changes (design 1). On disk: never renumber. Mirror may become own, never the other way.
enum class ModSeqMode : uint8_t { mirror = 1, own = 2 };

// Bits of MailboxInfo::attributes. On disk: never renumber.
enum MailboxAttribute : uint32_t {
  no_select = 1,
  no_inferiors = 2,
  non_existent = 4,
  foreign = 8,  // another user's or a shared one, seen through the source; never this account's own mail
};

// A mailbox without its messages. `name` is the octets that the source shows (or that a client gave), compared exactly
// but for INBOX; the store never interprets it.
struct MailboxInfo {
  MailboxKey key;  // 0 until the store has assigned one
  std::string name;
  char separator = '/';  // 0: NIL
  uint32_t attributes = 0;
  std::vector<std::string> special_use;  // "\Sent", as spelled
  UidValidity uid_validity;
  Uid uid_next{1};
  ModSeq highest_modseq{1};
  ModSeqMode mode = ModSeqMode::own;
  Uid first_recent{1};     // messages from here on are \Recent for the next session that selects
  std::string mailbox_id;  // RFC 8474; the source's where it has one
  bool operator==(const MailboxInfo&) const = default;
};

// What a message carries beside its flags. Size is RFC822.SIZE as served.
struct MessageInfo {
  InternalDate date;
  uint64_t size = 0;
  std::optional<Sha256> body;             // absent: listed, not fetched
  std::optional<InternalDate> save_date;  // RFC 8514
  std::string email_id, thread_id;        // RFC 8474; empty: none
  std::string uidl;                       // POP3; empty: none
  std::optional<uint32_t> pop3_order;
  std::optional<UidValidity> source_uid_validity;  // where served identities differ from the source's
  std::optional<Uid> source_uid;
};

struct NewMessage {
  std::optional<Uid> uid;        // absent: the mailbox's next. Must be >= uid_next: UIDs only ascend (I3)
  std::optional<ModSeq> modseq;  // absent: own mode, assigned by the batch
  Flags flags;
  MessageInfo info;
};

// What is absent stays as it is. uid_next and highest_modseq only ever go up, first_recent too.
struct MailboxChange {
  std::optional<std::string> name;
  std::optional<char> separator;
  std::optional<uint32_t> attributes;
  std::optional<std::vector<std::string>> special_use;
  std::optional<Uid> uid_next;
  std::optional<ModSeq> highest_modseq;
  std::optional<ModSeqMode> mode;
  std::optional<Uid> first_recent;
  std::optional<std::string> mailbox_id;
  // VANISHED is a superset for clients that know less than this number. Only ever goes up.
  std::optional<ModSeq> history_floor;
};

// How far a mailbox has been brought up to date from its source: what the ladder compares next time. Opaque to the
// store but for being replaced as a whole, in the batch that makes it true.
struct SyncCursor {
  UidValidity uid_validity;
  Uid uid_next;
  ModSeq highest_modseq;  // 0: the source has none
  uint64_t exists = 0;
  Sha256 digest{};        // of the UID and flag list, where the source has no CONDSTORE
  bool complete = false;  // every message is listed
  bool operator==(const SyncCursor&) const = default;
};

struct FlagChange {
  FlagsMode mode = FlagsMode::replace;
  Flags flags;
};

struct MessageIds {
  Uid uid;
  ModSeq modseq;
};

}  // namespace storage
