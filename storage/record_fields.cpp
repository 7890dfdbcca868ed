#include "storage/record_fields.h"

#include <algorithm>

namespace storage::record {

Sha256 get_hash(Reader& in) {
  Sha256 h{};
  std::span<const uint8_t> b = in.bytes(h.size());
  std::copy(b.begin(), b.end(), h.begin());
  return h;
}

void put_date(Buffer& out, const InternalDate& d) {
  out.put<uint64_t>(static_cast<uint64_t>(d.seconds));
  out.put<uint16_t>(static_cast<uint16_t>(d.zone_minutes));
}

InternalDate get_date(Reader& in) {
  InternalDate d;
  d.seconds = static_cast<int64_t>(in.get<uint64_t>());
  d.zone_minutes = static_cast<int16_t>(in.get<uint16_t>());
  return d;
}

void put_keywords(Buffer& out, const Flags& flags) {
  for (const std::string& k : flags.keywords) out.put_field(tag_keyword, k);
}

void put_info_fields(Buffer& out, const MessageInfo& i, bool with_body) {
  if (i.body && with_body) out.put_field(tag_body, std::span<const uint8_t>(*i.body));
  if (i.save_date) {
    out.put<uint8_t>(tag_save_date);
    out.put_varint(10);
    put_date(out, *i.save_date);
  }
  if (!i.email_id.empty()) out.put_field(tag_email_id, i.email_id);
  if (!i.thread_id.empty()) out.put_field(tag_thread_id, i.thread_id);
  if (!i.uidl.empty()) out.put_field(tag_uidl, i.uidl);
  if (i.pop3_order) out.put_number<uint32_t>(tag_pop3_order, *i.pop3_order);
  if (i.source_uid_validity) out.put_number<uint32_t>(tag_source_uid_validity, i.source_uid_validity->value);
  if (i.source_uid) out.put_number<uint32_t>(tag_source_uid, i.source_uid->value);
}

void get_info_field(uint8_t tag, Reader& in, MessageInfo& i) {
  switch (tag) {
    case tag_body:
      i.body = get_hash(in);
      break;
    case tag_save_date:
      i.save_date = get_date(in);
      break;
    case tag_email_id:
      i.email_id = wire::base::as_text(in.rest());
      break;
    case tag_thread_id:
      i.thread_id = wire::base::as_text(in.rest());
      break;
    case tag_uidl:
      i.uidl = wire::base::as_text(in.rest());
      break;
    case tag_pop3_order:
      i.pop3_order = in.get<uint32_t>();
      break;
    case tag_source_uid_validity:
      i.source_uid_validity = UidValidity(in.get<uint32_t>());
      break;
    case tag_source_uid:
      i.source_uid = Uid(in.get<uint32_t>());
      break;
    default:
      break;
  }
}

void get_message_fields(Reader& in, Message& m) {
  in.fields([&](uint8_t tag, Reader& f) {
    if (tag == tag_keyword) {
      m.flags.keywords.emplace_back(wire::base::as_text(f.rest()));
    } else {
      get_info_field(tag, f, m.info);
    }
  });
}

}  // namespace storage::record
