// What the encodings of both formats have in common: the optional fields of records. Private to storage.
#pragma once

#include "storage/record.h"

namespace storage::record {

enum Tag : uint8_t {  // on disk: never renumber; one space for all kinds
  tag_keyword = 1,    // repeated
  tag_body = 2,
  tag_save_date = 3,
  tag_email_id = 4,
  tag_thread_id = 5,
  tag_uidl = 6,
  tag_pop3_order = 7,
  tag_source_uid_validity = 8,
  tag_source_uid = 9,
  tag_size = 10,
  tag_name = 16,
  tag_separator = 17,
  tag_attributes = 18,
  tag_special_use = 19,  // one field: count, texts
  tag_uid_validity = 20,
  tag_uid_next = 21,
  tag_highest_modseq = 22,
  tag_mode = 23,
  tag_first_recent = 24,
  tag_mailbox_id = 25,
  tag_history_floor = 26,
};

Sha256 get_hash(Reader& in);
void put_date(Buffer& out, const InternalDate& d);
InternalDate get_date(Reader& in);
void put_keywords(Buffer& out, const Flags& flags);
// The optional fields of a message's cold part.
void put_info_fields(Buffer& out, const MessageInfo& i, bool with_body = true);
void get_info_field(uint8_t tag, Reader& in, MessageInfo& i);
// All that are left: of the cold part, and keywords.
void get_message_fields(Reader& in, Message& m);

}  // namespace storage::record
