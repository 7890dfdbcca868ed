#include "storage/batch.h"

#include <algorithm>

#include "storage/account_impl.h"
#include "storage/crc32c.h"

namespace storage {
namespace {

constexpr size_t max_name = 4096;
constexpr size_t max_text = 4096;           // ids, UIDL
constexpr uint64_t max_modseq = INT64_MAX;  // RFC 7162: 63 bits

Result<void> check_flags(const MailboxState& box, const Flags& flags) {
  size_t fresh = 0;
  for (const std::string& k : flags.keywords) {
    if (k.empty() || k.size() > max_keyword_length) return Failure(Errc::limit, "keyword too long");
    if (!box.keywords().find(k)) ++fresh;
  }
  if (box.keywords().names.size() + fresh > max_keywords) return Failure(Errc::limit, "too many keywords in a mailbox");
  return {};
}

Result<void> check_name(std::string_view name) {
  if (name.empty()) return Failure(Errc::usage, "mailbox without a name");
  if (name.size() > max_name) return Failure(Errc::limit, "mailbox name too long");
  return {};
}

bool texts_fit(const MessageInfo& i) {
  return i.email_id.size() <= max_text && i.thread_id.size() <= max_text && i.uidl.size() <= max_text;
}

}  // namespace

Result<void> Batch::Impl::put_unapplied(const record::Op& op) {
  size_t at = bytes.size();
  bytes.extend(frame_header_size);
  record::encode(bytes, op);
  size_t length = bytes.size() - at - frame_header_size;
  if (length > max_record_size) {
    bytes.resize(at);
    return Failure(Errc::limit, "change too big for one frame");
  }
  frames.push_back({record::kind_of(op), at, length, crc32c(bytes.bytes(at + frame_header_size, length)), nullptr});
  return {};
}

Result<void> Batch::Impl::put(record::Op op) {
  if (account.format() >= 2) {
    if (auto* m = std::get_if<record::Message>(&op)) return put_message(std::move(*m));
    if (auto* l = std::get_if<record::BodyLink>(&op); l && waiting(l->body)) return put_link(*l);
    end_letter();
    end_list();
  }
  const size_t at = bytes.size();
  if (Result<void> r = put_unapplied(op); !r) return r;
  if (std::optional<std::string> wrong = layer.apply(token, std::move(op))) {
    bytes.resize(at);
    frames.pop_back();
    return Failure(Errc::internal, *wrong);
  }
  return {};
}

Result<void> Batch::Impl::put_body(std::unique_ptr<PreparedBody::Impl> body) {
  new_bodies.insert(body->head.name);
  if (account.format() >= 2) {
    end_letter();
    if (body->small()) {
      letter = std::move(body);
      return {};
    }
    end_list();
  }
  size_t at = bytes.size();
  Frame f{FrameKind::body, at, 0, 0, nullptr, body->head.name};
  BodyHead& head = body->head;
  if (body->small()) {
    // Compressed straight into the batch, behind the room for its head.
    bool empty = head.size == 0;
    head.blocks.resize(empty ? 0 : 1);
    size_t head_at = at + frame_header_size;
    bytes.resize(head_at + head.encoded_size());
    if (!empty) head.blocks[0] = compress_block(bytes, body->raw.bytes());
    head.encode(bytes.data() + head_at);
    f.length = bytes.size() - head_at;
    f.crc = crc32c(bytes.bytes(head_at, f.length));
  } else {
    size_t head_at = at + frame_header_size;
    bytes.resize(head_at + head.encoded_size());
    head.encode(bytes.data() + head_at);
    uint64_t stored = head.stored_size();
    f.length = head.encoded_size() + stored;
    f.crc = crc32c_combine(crc32c(bytes.bytes(head_at, head.encoded_size())), body->stored_crc, stored);
    spooled += stored;
    f.body = std::move(body);
  }
  frames.push_back(std::move(f));
  return {};
}

Result<bool> Batch::Impl::has_body(const Sha256& name) {
  if (new_bodies.count(name) != 0) return true;
  Result<std::optional<BodyPlace>> place = account.bodies().find(name);
  if (!place) return place.error();
  return place->has_value();
}

ModSeq Batch::Impl::number(const MailboxState& mailbox) {
  ModSeq& n = numbers[mailbox.info().key];
  if (n < mailbox.info().highest_modseq) n = mailbox.info().highest_modseq.next();
  if (!n) n = ModSeq(1);
  return n;
}

Result<std::shared_ptr<const MailboxState>> Batch::Impl::mailbox(MailboxKey key) const {
  if (layer.info(key) == nullptr) return Failure(Errc::not_found, "no such mailbox");
  std::shared_ptr<const MailboxState> box = layer.mailbox(key);
  if (!box) return Failure(Errc::io, "mailbox cannot be read");
  return box;
}

Batch::Batch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;
Batch::~Batch() = default;

bool Batch::empty() const { return impl_->frames.empty() && !impl_->letter; }
size_t Batch::bytes() const {
  return impl_->bytes.size() + static_cast<size_t>(impl_->spooled) + (impl_->letter ? impl_->letter->raw.size() : 0);
}

Result<MailboxKey> Batch::create_mailbox(const MailboxInfo& info) {
  AccountState& state = impl_->layer;
  if (Result<void> r = check_name(info.name); !r) return r.error();
  if (state.find(info.name)) return Failure(Errc::exists, "mailbox exists");
  record::Mailbox m{record::MailboxAction::create, state.next_key(), info, {}};
  m.info.key = m.key;
  m.info.uid_next = std::max(info.uid_next, Uid(1));
  m.info.first_recent = std::max(info.first_recent, Uid(1));
  if (!info.uid_validity) {
    std::optional<UidValidity> fresh = state.fresh_validity(info.name, impl_->account.env().now());
    if (!fresh) return Failure(Errc::limit, "no UIDVALIDITY is left for this name");
    m.info.uid_validity = *fresh;
  }
  MailboxKey key = m.key;
  if (Result<void> r = impl_->put(std::move(m)); !r) return r.error();
  return key;
}

Result<void> Batch::change_mailbox(MailboxKey key, const MailboxChange& change) {
  const MailboxInfo* info = impl_->layer.info(key);
  if (info == nullptr) return Failure(Errc::not_found, "no such mailbox");
  if (change.name) {
    if (Result<void> r = check_name(*change.name); !r) return r;
    const MailboxInfo* other = impl_->layer.find(*change.name);
    if (other && other->key != key) return Failure(Errc::exists, "mailbox exists");
  }
  if (change.mode == ModSeqMode::mirror && info->mode == ModSeqMode::own) {
    return Failure(Errc::conflict, "a mailbox that numbers its changes cannot become a mirror again");
  }
  if (change.highest_modseq && change.highest_modseq->value > max_modseq) return Failure(Errc::limit, "MODSEQ too big");
  Result<std::shared_ptr<const MailboxState>> box = impl_->mailbox(key);
  if (!box) return box.error();
  record::Mailbox m{record::MailboxAction::change, key, {}, change};
  if (change.mode == ModSeqMode::own && info->mode == ModSeqMode::mirror) {
    // Written down, since a rewrite may leave the message out whose number it is.
    ModSeq now = std::max(info->highest_modseq, (*box)->highest_of_messages());
    m.change.highest_modseq = std::max(now, change.highest_modseq.value_or(ModSeq(0)));
  }
  return impl_->put(std::move(m));
}

Result<void> Batch::remove_mailbox(MailboxKey key) {
  if (impl_->layer.info(key) == nullptr) return Failure(Errc::not_found, "no such mailbox");
  return impl_->put(record::Mailbox{record::MailboxAction::remove, key, {}, {}});
}

Result<void> Batch::reset_mailbox(MailboxKey key, UidValidity validity, Uid uid_next, ModSeq highest_modseq,
                                  ModSeqMode mode) {
  const MailboxInfo* info = impl_->layer.info(key);
  if (info == nullptr) return Failure(Errc::not_found, "no such mailbox");
  if (!validity || validity == info->uid_validity) {
    return Failure(Errc::conflict, "a mailbox is only emptied for a new UIDVALIDITY");
  }
  record::Mailbox m{record::MailboxAction::reset, key, *info, {}};
  m.info.uid_validity = validity;
  m.info.uid_next = std::max(uid_next, Uid(1));
  m.info.highest_modseq = highest_modseq;
  m.info.mode = mode;
  m.info.first_recent = Uid(1);
  impl_->numbers.erase(key);
  if (Result<std::shared_ptr<const MailboxState>> box = impl_->mailbox(key); !box) return box.error();
  return impl_->put(std::move(m));
}

void Batch::subscribe(std::string_view name, bool on) {
  if (name.size() > max_name) return;
  if (impl_->layer.subscribed(name) == on) return;
  (void)impl_->put(record::Subscription{std::string(name), on});  // of this size it cannot be refused
}

void Batch::annotate(std::string_view name, std::string_view value) {
  const auto& there = impl_->layer.annotations();
  const auto at = there.find(std::string(name));
  if (name.size() > max_name || value.size() > max_name) return;
  if (at == there.end() ? value.empty() : at->second == value) return;
  (void)impl_->put(record::Annotation{MailboxKey(0), std::string(name), std::string(value)});  // as above
}

Result<Sha256> Batch::add_body(PreparedBody body) {
  Sha256 name = body.name();
  Result<bool> there = impl_->has_body(name);
  if (!there) return there.error();
  if (*there) return name;
  if (Result<void> r = impl_->put_body(std::move(body.impl_)); !r) return r.error();
  return name;
}

Result<MessageIds> Batch::add_message(MailboxKey key, const NewMessage& message) {
  Result<std::shared_ptr<const MailboxState>> found = impl_->mailbox(key);
  if (!found) return found.error();
  const MailboxState& box = **found;
  const MailboxInfo& info = box.info();
  record::Message m{key, message.uid.value_or(info.uid_next), {}, message.flags, message.info};
  if (m.uid.value == 0 || m.uid.value == UINT32_MAX) return Failure(Errc::limit, "no UID is left");
  // Below UIDNEXT only where a copy had missed a message: never a UID that once was another (I3).
  if (m.uid < info.uid_next && box.find(m.uid)) return Failure(Errc::exists, "UID is taken");
  if (m.uid < info.uid_next && box.was_expunged(m.uid)) return Failure(Errc::conflict, "UID was expunged");
  if (box.size() >= UINT32_MAX - 1) return Failure(Errc::limit, "mailbox is full");
  if (message.modseq) {
    m.modseq = *message.modseq;
    if (m.modseq.value > max_modseq) return Failure(Errc::limit, "MODSEQ too big");
  } else {
    if (info.mode == ModSeqMode::mirror) return Failure(Errc::usage, "a mirror takes the source's MODSEQ");
    m.modseq = impl_->number(box);
  }
  if (Result<void> r = check_flags(box, message.flags); !r) return r.error();
  if (!texts_fit(message.info)) return Failure(Errc::limit, "identifier too long");
  if (message.info.body) {
    Result<bool> there = impl_->has_body(*message.info.body);
    if (!there) return there.error();
    if (!*there) return Failure(Errc::not_found, "no such body");
    impl_->used_bodies.push_back(*message.info.body);
  }
  MessageIds ids{m.uid, m.modseq};
  if (Result<void> r = impl_->put(std::move(m)); !r) return r.error();
  return ids;
}

Result<void> Batch::attach_body(MailboxKey key, Uid uid, const Sha256& body, std::optional<uint64_t> size) {
  Result<std::shared_ptr<const MailboxState>> box = impl_->mailbox(key);
  if (!box) return box.error();
  std::optional<MailboxState::Place> place = (*box)->find(uid);
  if (!place) return Failure(Errc::not_found, "no such message");
  Result<bool> there = impl_->has_body(body);
  if (!there) return there.error();
  if (!*there) return Failure(Errc::not_found, "no such body");
  const MessageInfo& info = (*box)->info_at(*place);
  if (info.body == body && (!size || *size == info.size)) return {};
  impl_->used_bodies.push_back(body);
  return impl_->put(record::BodyLink{key, uid, body, size});
}

Result<UidSet> Batch::change_flags(MailboxKey key, const UidSet& uids, const FlagChange& change,
                                   std::optional<ModSeq> modseq) {
  Result<std::shared_ptr<const MailboxState>> found = impl_->mailbox(key);
  if (!found) return found.error();
  const MailboxState& box = **found;
  if (!modseq && box.info().mode == ModSeqMode::mirror) {
    return Failure(Errc::usage, "a mirror takes the source's MODSEQ");
  }
  if (modseq && modseq->value > max_modseq) return Failure(Errc::limit, "MODSEQ too big");
  if (change.mode != FlagsMode::remove) {
    if (Result<void> r = check_flags(box, change.flags); !r) return r.error();
  }
  MailboxState::Touched touched = box.would_change(uids, change, modseq.has_value());
  if (touched.uids.empty()) return UidSet();
  record::FlagUpdate u{key, modseq ? *modseq : impl_->number(box), change, std::move(touched.runs)};
  if (Result<void> r = impl_->put(std::move(u)); !r) return r.error();
  return std::move(touched.uids);
}

Result<UidSet> Batch::expunge(MailboxKey key, const UidSet& uids, std::optional<ModSeq> modseq) {
  Result<std::shared_ptr<const MailboxState>> found = impl_->mailbox(key);
  if (!found) return found.error();
  const MailboxState& box = **found;
  if (modseq && modseq->value > max_modseq) return Failure(Errc::limit, "MODSEQ too big");
  UidSet gone = box.present(uids);
  if (gone.empty()) return gone;
  bool mirror = box.info().mode == ModSeqMode::mirror;
  ModSeq number = modseq ? *modseq : mirror ? box.info().highest_modseq : impl_->number(box);
  if (Result<void> r = impl_->put(record::Expunge{key, number, gone}); !r) return r.error();
  return gone;
}

void Batch::set_cursor(MailboxKey key, const SyncCursor& cursor) {
  std::shared_ptr<const MailboxState> box = impl_->layer.mailbox(key);
  if (!box || box->cursor() == cursor) return;
  (void)impl_->put(record::Cursor{key, cursor});  // a fixed size: it cannot be refused
}

}  // namespace storage
