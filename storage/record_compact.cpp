// Records of format 2: short messages, several in a frame, and what a letter carries.
#include "storage/letter.h"
#include "storage/record_fields.h"

namespace storage::record {
void encode_compact(Buffer& out, const Message& m, Uid after, bool with_body) {
  out.put_varint(m.uid.value - after.value);
  out.put_varint(m.modseq.value);
  out.put<uint8_t>(m.flags.system);
  out.put_varint(m.info.size);
  out.put_zigzag(m.info.date.seconds);
  out.put_zigzag(m.info.date.zone_minutes);
  put_info_fields(out, m.info, with_body);
  put_keywords(out, m.flags);
}

Message decode_compact(Reader& in, MailboxKey mailbox, Uid after) {
  Message m;
  m.mailbox = mailbox;
  uint64_t step = in.varint();
  if (step == 0 || step > UINT32_MAX - after.value) in.fail();
  m.uid = Uid(static_cast<uint32_t>(after.value + step));
  m.modseq = ModSeq(in.varint());
  m.flags.system = in.get<uint8_t>();
  m.info.size = in.varint();
  m.info.date.seconds = in.zigzag();
  int64_t zone = in.zigzag();
  if (zone < INT16_MIN || zone > INT16_MAX) in.fail();
  m.info.date.zone_minutes = static_cast<int16_t>(zone);
  get_message_fields(in, m);
  return m;
}

void encode_compact(Buffer& out, const BodyLink& l) {
  out.put_varint(l.mailbox.value);
  out.put_varint(l.uid.value);
  if (l.size) out.put_varint(*l.size);
}

BodyLink decode_compact_link(Reader& in, const Sha256& body) {
  BodyLink l;
  l.mailbox = MailboxKey(in.varint());
  uint64_t uid = in.varint();
  if (uid == 0 || uid > UINT32_MAX) in.fail();
  l.uid = Uid(static_cast<uint32_t>(uid));
  l.body = body;
  if (!in.at_end()) l.size = in.varint();
  return l;
}

Result<std::vector<Op>> decode_all(const FrameHeader& header, std::span<const uint8_t> payload) {
  std::vector<Op> ops;
  if (header.kind == FrameKind::body) {
    Result<BodyFrame> body = read_body_frame(header, payload);
    if (!body) return body.error();
    if (body->part) ops.push_back(std::move(*body->part));
    return ops;
  }
  if (header.kind != FrameKind::messages || header.version != frame_version) {
    Result<Op> op = decode(header, payload);
    if (!op) return op.error();
    ops.push_back(std::move(*op));
    return ops;
  }
  Reader in(payload);
  MailboxKey mailbox(in.varint());
  Uid after;
  while (in.ok() && !in.at_end()) {
    Reader one(wire::base::as_bytes(in.text()));
    if (!in.ok()) break;
    Message m = decode_compact(one, mailbox, after);
    if (!one.ok()) in.fail();
    after = m.uid;
    ops.push_back(std::move(m));
  }
  if (!in.ok()) return Failure(Errc::corrupt, "frame with impossible content");
  return ops;
}

void encode_packed_info(Buffer& out, const MessageInfo& info, int64_t before) {
  out.put_varint(info.size);
  out.put_zigzag(static_cast<int64_t>(static_cast<uint64_t>(info.date.seconds) - static_cast<uint64_t>(before)));
  out.put_zigzag(info.date.zone_minutes);
  Buffer fields;
  put_info_fields(fields, info, false);
  out.put_text(wire::base::as_text(fields.bytes()));
}

MessageInfo decode_packed_info(Reader& in, int64_t before) {
  MessageInfo i;
  i.size = in.varint();
  i.date.seconds = static_cast<int64_t>(static_cast<uint64_t>(before) + static_cast<uint64_t>(in.zigzag()));
  i.date.zone_minutes = static_cast<int16_t>(in.zigzag());
  Reader fields(wire::base::as_bytes(in.text()));
  fields.fields([&](uint8_t tag, Reader& f) { get_info_field(tag, f, i); });
  return i;
}

void encode_body_name(Buffer& out, const Sha256& body) { out.put_field(tag_body, std::span<const uint8_t>(body)); }

Result<size_t> filter_messages(Buffer& out, std::span<const uint8_t> payload,
                               const std::function<bool(const Op&)>& keep) {
  Reader in(payload);
  MailboxKey mailbox(in.varint());
  out.put_varint(mailbox.value);
  size_t kept = 0;
  Uid after, after_kept;
  Buffer one;
  while (in.ok() && !in.at_end()) {
    std::span<const uint8_t> text = wire::base::as_bytes(in.text());
    Reader reading(text), rest(text);
    Message m = decode_compact(reading, mailbox, after);
    rest.varint();
    if (!in.ok() || !reading.ok()) break;
    after = m.uid;
    const Op op(std::move(m));
    if (!keep(op)) continue;
    one.clear();
    one.put_varint(after.value - after_kept.value);
    one.put_bytes(rest.rest());
    out.put_text(wire::base::as_text(one.bytes()));
    after_kept = after;
    ++kept;
  }
  if (!in.at_end() || !in.ok()) return Failure(Errc::corrupt, "frame with impossible content");
  return kept;
}

}  // namespace storage::record
