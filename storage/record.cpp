#include "storage/record.h"

#include <algorithm>

#include "storage/record_fields.h"

namespace storage::record {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // clang 14 does not deduce it

ModSeqMode get_mode(Reader& in) {
  auto m = in.get<uint8_t>();
  if (m != 1 && m != 2) in.fail();
  return static_cast<ModSeqMode>(m);
}

void put_special_use(Buffer& out, const std::vector<std::string>& uses) {
  Buffer list;
  list.put_varint(uses.size());
  for (const std::string& use : uses) list.put_text(use);
  out.put_field(tag_special_use, list.bytes());
}

std::vector<std::string> get_special_use(Reader& in) {
  std::vector<std::string> uses;
  for (size_t n = in.count(1); n > 0; --n) uses.emplace_back(in.text());
  return uses;
}

void put_change(Buffer& out, const MailboxChange& c) {
  if (c.name) out.put_field(tag_name, *c.name);
  if (c.separator) out.put_number<uint8_t>(tag_separator, static_cast<uint8_t>(*c.separator));
  if (c.attributes) out.put_number<uint32_t>(tag_attributes, *c.attributes);
  if (c.special_use) put_special_use(out, *c.special_use);
  if (c.uid_next) out.put_number<uint32_t>(tag_uid_next, c.uid_next->value);
  if (c.highest_modseq) out.put_number<uint64_t>(tag_highest_modseq, c.highest_modseq->value);
  if (c.mode) out.put_number<uint8_t>(tag_mode, static_cast<uint8_t>(*c.mode));
  if (c.first_recent) out.put_number<uint32_t>(tag_first_recent, c.first_recent->value);
  if (c.mailbox_id) out.put_field(tag_mailbox_id, *c.mailbox_id);
  if (c.history_floor) out.put_number<uint64_t>(tag_history_floor, c.history_floor->value);
}

MailboxChange get_change(Reader& in) {
  MailboxChange c;
  in.fields([&](uint8_t tag, Reader& f) {
    switch (tag) {
      case tag_name:
        c.name = std::string(wire::base::as_text(f.rest()));
        break;
      case tag_separator:
        c.separator = static_cast<char>(f.get<uint8_t>());
        break;
      case tag_attributes:
        c.attributes = f.get<uint32_t>();
        break;
      case tag_special_use:
        c.special_use = get_special_use(f);
        break;
      case tag_uid_next:
        c.uid_next = Uid(f.get<uint32_t>());
        break;
      case tag_highest_modseq:
        c.highest_modseq = ModSeq(f.get<uint64_t>());
        break;
      case tag_mode:
        c.mode = get_mode(f);
        break;
      case tag_first_recent:
        c.first_recent = Uid(f.get<uint32_t>());
        break;
      case tag_mailbox_id:
        c.mailbox_id = std::string(wire::base::as_text(f.rest()));
        break;
      case tag_history_floor:
        c.history_floor = ModSeq(f.get<uint64_t>());
        break;
      default:
        break;
    }
  });
  return c;
}

void put(Buffer& out, const Message& m) {
  out.put<uint64_t>(m.mailbox.value);
  out.put<uint32_t>(m.uid.value);
  out.put<uint64_t>(m.modseq.value);
  out.put<uint8_t>(m.flags.system);
  out.put<uint64_t>(m.info.size);
  put_date(out, m.info.date);
  put_info_fields(out, m.info);
  put_keywords(out, m.flags);
}

Op get_message(Reader& in) {
  Message m;
  m.mailbox = MailboxKey(in.get<uint64_t>());
  m.uid = Uid(in.get<uint32_t>());
  m.modseq = ModSeq(in.get<uint64_t>());
  m.flags.system = in.get<uint8_t>();
  m.info.size = in.get<uint64_t>();
  m.info.date = get_date(in);
  get_message_fields(in, m);
  return m;
}

void put(Buffer& out, const BodyLink& l) {
  out.put<uint64_t>(l.mailbox.value);
  out.put<uint32_t>(l.uid.value);
  out.put_bytes(l.body);
  if (l.size) out.put_number<uint64_t>(tag_size, *l.size);
}

Op get_body_link(Reader& in) {
  BodyLink l;
  l.mailbox = MailboxKey(in.get<uint64_t>());
  l.uid = Uid(in.get<uint32_t>());
  l.body = get_hash(in);
  in.fields([&](uint8_t tag, Reader& f) {
    if (tag == tag_size) l.size = f.get<uint64_t>();
  });
  return l;
}

void put(Buffer& out, const FlagUpdate& u) {
  out.put<uint64_t>(u.mailbox.value);
  out.put<uint64_t>(u.modseq.value);
  out.put<uint8_t>(static_cast<uint8_t>(u.change.mode));
  out.put<uint8_t>(u.change.flags.system);
  encode_set(out, u.uids);
  put_keywords(out, u.change.flags);
}

Op get_flags(Reader& in) {
  FlagUpdate u;
  u.mailbox = MailboxKey(in.get<uint64_t>());
  u.modseq = ModSeq(in.get<uint64_t>());
  auto mode = in.get<uint8_t>();
  if (mode > static_cast<uint8_t>(FlagsMode::remove)) in.fail();
  u.change.mode = static_cast<FlagsMode>(mode);
  u.change.flags.system = in.get<uint8_t>();
  u.uids = decode_set(in);
  in.fields([&](uint8_t tag, Reader& f) {
    if (tag == tag_keyword) u.change.flags.keywords.emplace_back(wire::base::as_text(f.rest()));
  });
  return u;
}

void put(Buffer& out, const Expunge& e) {
  out.put<uint64_t>(e.mailbox.value);
  out.put<uint64_t>(e.modseq.value);
  encode_set(out, e.uids);
}

Op get_expunge(Reader& in) {
  Expunge e;
  e.mailbox = MailboxKey(in.get<uint64_t>());
  e.modseq = ModSeq(in.get<uint64_t>());
  e.uids = decode_set(in);
  return e;
}

void put(Buffer& out, const Mailbox& m) {
  out.put<uint64_t>(m.key.value);
  out.put<uint8_t>(static_cast<uint8_t>(m.action));
  if (m.action == MailboxAction::create || m.action == MailboxAction::reset) encode_mailbox(out, m.info);
  if (m.action == MailboxAction::change) put_change(out, m.change);
}

Op get_mailbox(Reader& in) {
  Mailbox m;
  m.key = MailboxKey(in.get<uint64_t>());
  auto action = in.get<uint8_t>();
  if (action < 1 || action > 4) in.fail();
  m.action = static_cast<MailboxAction>(action);
  if (m.action == MailboxAction::create || m.action == MailboxAction::reset) m.info = decode_mailbox(in);
  if (m.action == MailboxAction::change) m.change = get_change(in);
  m.info.key = m.key;
  return m;
}

void put(Buffer& out, const Subscription& s) {
  out.put<uint8_t>(s.on ? 1 : 0);
  out.put_text(s.name);
}

Op get_subscription(Reader& in) {
  Subscription s;
  s.on = in.get<uint8_t>() != 0;
  s.name = in.text();
  return s;
}

void put(Buffer& out, const Annotation& a) {
  out.put<uint64_t>(a.mailbox.value);
  out.put_text(a.name);
  out.put_text(a.value);
}

Op get_annotation(Reader& in) {
  Annotation a;
  a.mailbox = MailboxKey(in.get<uint64_t>());
  a.name = in.text();
  a.value = in.text();
  return a;
}

void put(Buffer& out, const Cursor& c) {
  out.put<uint64_t>(c.mailbox.value);
  encode_cursor(out, c.cursor);
}

Op get_cursor(Reader& in) {
  Cursor c;
  c.mailbox = MailboxKey(in.get<uint64_t>());
  c.cursor = decode_cursor(in);
  return c;
}

}  // namespace

FrameKind kind_of(const Op& op) {
  static constexpr FrameKind kinds[] = {FrameKind::message,    FrameKind::body_link,  FrameKind::flags,
                                        FrameKind::expunge,    FrameKind::mailbox,    FrameKind::subscription,
                                        FrameKind::cursor,     FrameKind::epoch,      FrameKind::checkpoint,
                                        FrameKind::annotation, FrameKind::dictionary, FrameKind::annotation};
  return kinds[op.index()];
}

void encode(Buffer& out, const Op& op) {
  std::visit(Overloaded{[&](const EpochRaised& e) { out.put<uint64_t>(e.epoch.value); },
                        [&](const Checkpoint& c) { out.put<uint64_t>(c.lsn.value); },  //
                        [](const Nothing&) {}, [](const Dictionary&) {}, [&](const auto& o) { put(out, o); }},
             op);
}

Result<Op> decode(const FrameHeader& header, std::span<const uint8_t> payload) {
  if (header.version != frame_version) {
    if (header.flags & ignorable) return Op(Nothing{});
    return Failure(Errc::unsupported, "frame of a later version");
  }
  Reader in(payload);
  Op op;
  switch (header.kind) {
    case FrameKind::message:
      op = get_message(in);
      break;
    case FrameKind::body_link:
      op = get_body_link(in);
      break;
    case FrameKind::flags:
      op = get_flags(in);
      break;
    case FrameKind::expunge:
      op = get_expunge(in);
      break;
    case FrameKind::mailbox:
      op = get_mailbox(in);
      break;
    case FrameKind::subscription:
      op = get_subscription(in);
      break;
    case FrameKind::cursor:
      op = get_cursor(in);
      break;
    case FrameKind::epoch:
      op = EpochRaised{Epoch(in.get<uint64_t>())};
      break;
    case FrameKind::checkpoint:
      op = Checkpoint{Lsn(in.get<uint64_t>())};
      break;
    case FrameKind::annotation:
      op = get_annotation(in);
      break;
    case FrameKind::dictionary:
      op = Dictionary{};
      break;
    default:
      if (header.flags & ignorable) return Op(Nothing{});
      return Failure(Errc::unsupported, "frame of an unknown kind");
  }
  if (!in.ok()) return Failure(Errc::corrupt, "frame with impossible content");
  return op;
}

void encode_info(Buffer& out, const MessageInfo& info) {
  out.put<uint64_t>(info.size);
  put_date(out, info.date);
  put_info_fields(out, info);
}

MessageInfo decode_info(Reader& in) {
  MessageInfo i;
  i.size = in.get<uint64_t>();
  i.date = get_date(in);
  in.fields([&](uint8_t tag, Reader& f) { get_info_field(tag, f, i); });
  return i;
}

void encode_mailbox(Buffer& out, const MailboxInfo& m) {
  MailboxChange c{m.name,           m.separator, m.attributes,   m.special_use, m.uid_next,
                  m.highest_modseq, m.mode,      m.first_recent, m.mailbox_id,  {}};
  put_change(out, c);
  out.put_number<uint32_t>(tag_uid_validity, m.uid_validity.value);
}

MailboxInfo decode_mailbox(Reader& in) {
  MailboxInfo m;
  in.fields([&](uint8_t tag, Reader& f) {
    switch (tag) {
      case tag_name:
        m.name = wire::base::as_text(f.rest());
        break;
      case tag_separator:
        m.separator = static_cast<char>(f.get<uint8_t>());
        break;
      case tag_attributes:
        m.attributes = f.get<uint32_t>();
        break;
      case tag_special_use:
        m.special_use = get_special_use(f);
        break;
      case tag_uid_validity:
        m.uid_validity = UidValidity(f.get<uint32_t>());
        break;
      case tag_uid_next:
        m.uid_next = Uid(f.get<uint32_t>());
        break;
      case tag_highest_modseq:
        m.highest_modseq = ModSeq(f.get<uint64_t>());
        break;
      case tag_mode:
        m.mode = get_mode(f);
        break;
      case tag_first_recent:
        m.first_recent = Uid(f.get<uint32_t>());
        break;
      case tag_mailbox_id:
        m.mailbox_id = wire::base::as_text(f.rest());
        break;
      default:
        break;
    }
  });
  return m;
}

void encode_cursor(Buffer& out, const SyncCursor& c) {
  out.put<uint32_t>(c.uid_validity.value);
  out.put<uint32_t>(c.uid_next.value);
  out.put<uint64_t>(c.highest_modseq.value);
  out.put<uint64_t>(c.exists);
  out.put_bytes(c.digest);
  out.put<uint8_t>(c.complete ? 1 : 0);
}

SyncCursor decode_cursor(Reader& in) {
  SyncCursor c;
  c.uid_validity = UidValidity(in.get<uint32_t>());
  c.uid_next = Uid(in.get<uint32_t>());
  c.highest_modseq = ModSeq(in.get<uint64_t>());
  c.exists = in.get<uint64_t>();
  c.digest = get_hash(in);
  c.complete = in.get<uint8_t>() != 0;
  return c;
}

void encode_set(Buffer& out, const UidSet& set) {
  out.put_varint(set.ranges().size());
  uint32_t after = 0;
  for (const UidSet::Range& r : set.ranges()) {
    out.put_varint(r.first.value - after);
    out.put_varint(r.last.value - r.first.value);
    after = r.last.value;
  }
}

UidSet decode_set(Reader& in) {
  UidSet set;
  uint64_t after = 0;
  for (size_t n = in.count(2); n > 0 && in.ok(); --n) {
    uint64_t first = after + in.varint(), last = first + in.varint();
    if (last > UINT32_MAX || first > last) in.fail();
    if (!in.ok()) break;
    set.add(Uid(static_cast<uint32_t>(first)), Uid(static_cast<uint32_t>(last)));
    after = last;
  }
  return set;
}

}  // namespace storage::record
