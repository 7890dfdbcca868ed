// The changes that a log is made of, as values, and their bytes (docs/storage-format.md). What a batch writes and what
// replay reads are these; one function applies both (state.h). No I/O; any thread.
//
// Payloads are a fixed part and tagged optional fields. Decoding checks every length; Errc::corrupt.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "storage/coding.h"
#include "storage/frame.h"
#include "storage/types.h"

namespace storage::record {

struct Message {
  MailboxKey mailbox;
  Uid uid;
  ModSeq modseq;
  Flags flags;
  MessageInfo info;
};

struct BodyLink {
  MailboxKey mailbox;
  Uid uid;
  Sha256 body{};
  std::optional<uint64_t> size;
};

// `uids` are ranges over the messages that exist when it is applied: a range may span UIDs that do not.
struct FlagUpdate {
  MailboxKey mailbox;
  ModSeq modseq;
  FlagChange change;
  UidSet uids;
};

struct Expunge {
  MailboxKey mailbox;
  ModSeq modseq;
  UidSet uids;  // exactly those that went
};

enum class MailboxAction : uint8_t { create = 1, change = 2, remove = 3, reset = 4 };  // on disk

struct Mailbox {
  MailboxAction action{};
  MailboxKey key;
  MailboxInfo info;      // create: all of it; reset: UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ, mode
  MailboxChange change;  // change
};

struct Subscription {
  std::string name;
  bool on = false;
};

struct Annotation {
  MailboxKey mailbox;       // 0: of the account
  std::string name, value;  // an empty value removes it
};

struct Cursor {
  MailboxKey mailbox;
  SyncCursor cursor;
};

struct EpochRaised {
  Epoch epoch;
};

struct Checkpoint {
  Lsn lsn;  // what index.snap held when this was written
};

struct Nothing {};  // reserved or unknown, and ignorable

struct Dictionary {};  // its bytes are read when they are needed (dictionary.h)

using Op = std::variant<Message, BodyLink, FlagUpdate, Expunge, Mailbox, Subscription, Cursor, EpochRaised, Checkpoint,
                        Annotation, Dictionary, Nothing>;

FrameKind kind_of(const Op& op);
void encode(Buffer& out, const Op& op);
// Errc::corrupt: the checksum held and the content does not. Errc::unsupported: a kind or version of a later build.
// Kinds with one change only: of messages and bodies see decode_all().
Result<Op> decode(const FrameHeader& header, std::span<const uint8_t> payload);
// All changes of a frame of any kind and version, in order: none of a body that comes alone.
Result<std::vector<Op>> decode_all(const FrameHeader& header, std::span<const uint8_t> payload);

// A message's cold part as in a message frame from `size` on; also in index.snap.
void encode_info(Buffer& out, const MessageInfo& info);
MessageInfo decode_info(Reader& in);
// The same in format 2, without the body's name, behind a message with the date `before`.
void encode_packed_info(Buffer& out, const MessageInfo& info, int64_t before);
MessageInfo decode_packed_info(Reader& in, int64_t before);

// Format 2: a message after the one with the UID `after`, without its mailbox; `with_body`: its body's name, too.
void encode_compact(Buffer& out, const Message& m, Uid after, bool with_body);
Message decode_compact(Reader& in, MailboxKey mailbox, Uid after);
void encode_compact(Buffer& out, const BodyLink& l);  // without the body's name
BodyLink decode_compact_link(Reader& in, const Sha256& body);
void encode_body_name(Buffer& out, const Sha256& body);  // as the last field of a message without one
// A frame of messages with those alone that `keep` names, and all of their fields. Returns their number.
Result<size_t> filter_messages(Buffer& out, std::span<const uint8_t> payload,
                               const std::function<bool(const Op&)>& keep);

void encode_mailbox(Buffer& out, const MailboxInfo& info);
MailboxInfo decode_mailbox(Reader& in);
void encode_cursor(Buffer& out, const SyncCursor& cursor);
SyncCursor decode_cursor(Reader& in);
void encode_set(Buffer& out, const UidSet& set);
UidSet decode_set(Reader& in);

}  // namespace storage::record
