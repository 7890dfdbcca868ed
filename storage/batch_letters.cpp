// What a batch writes in format 2: one frame for a body and the message that came with it, one for a run of messages
// that were only listed (docs/storage-format.md).
#include "storage/account_impl.h"
#include "storage/crc32c.h"

namespace storage {
namespace {

// One frame is lost or kept as a whole: few enough that neither costs much.
constexpr uint32_t messages_a_frame = 16;
constexpr size_t list_bytes = 64u << 10;

}  // namespace

Result<void> Batch::Impl::put_message(record::Message m) {
  const bool joined = m.info.body && waiting(*m.info.body);
  MailboxKey mailbox = m.mailbox;
  Uid uid = m.uid;
  const bool goes_on = !joined && !letter && list_ && list_->mailbox == mailbox && list_->last < uid &&
                       list_->messages < messages_a_frame && frames.back().length < list_bytes;
  Buffer record;
  if (joined) record.put_varint(mailbox.value);
  record::encode_compact(record, m, goes_on ? list_->last : Uid(0), !joined);
  if (record.size() > max_record_size / 2) return Failure(Errc::limit, "change too big for one frame");
  const bool one_frame = joined && record.size() <= Letter::max_record;
  if (joined && !one_frame) {  // keywords without end
    record.clear();
    record::encode_compact(record, m, Uid(0), true);
  }
  if (std::optional<std::string> wrong = layer.apply(token, std::move(m))) return Failure(Errc::internal, *wrong);
  if (one_frame) {
    put_letter(Letter::Part::message, record.bytes());
    return {};
  }
  if (!goes_on) {
    end_letter();
    size_t at = bytes.size();
    bytes.extend(frame_header_size);
    bytes.put_varint(mailbox.value);
    size_t length = bytes.size() - at - frame_header_size;
    frames.push_back({FrameKind::messages, at, length, crc32c(bytes.bytes(at + frame_header_size, length)), nullptr});
    list_ = List{mailbox, uid, 0};
  }
  size_t from = bytes.size();
  bytes.put_text(wire::base::as_text(record.bytes()));
  Frame& f = frames.back();
  f.length += bytes.size() - from;
  f.crc = crc32c(bytes.bytes(from, bytes.size() - from), f.crc);
  list_->last = uid;
  ++list_->messages;
  return {};
}

Result<void> Batch::Impl::put_link(record::BodyLink l) {
  Buffer record;
  record::encode_compact(record, l);
  if (std::optional<std::string> wrong = layer.apply(token, std::move(l))) return Failure(Errc::internal, *wrong);
  put_letter(Letter::Part::link, record.bytes());
  return {};
}

void Batch::Impl::put_letter(Letter::Part part, std::span<const uint8_t> record) {
  if (!letter) return;
  list_.reset();
  std::unique_ptr<PreparedBody::Impl> body = std::move(letter);
  Letter l;
  l.name = body->head.name;
  l.size = body->head.size;
  l.part = part;
  l.record = record;
  const bool small = l.size > 0 && l.size < dictionary_limit;
  std::shared_ptr<const Dictionary> dictionary;
  if (uint32_t id = small ? account.bodies().dictionaries()->newest() : 0) {
    // One that cannot be read makes no message fail.
    if (auto got = account.bodies().dictionaries()->get(id)) dictionary = std::move(*got);
  }
  size_t at = bytes.size();
  bytes.extend(frame_header_size);
  size_t head = bytes.size();
  if (dictionary) l.dictionary = dictionary->id();
  l.encode(bytes);
  l.raw = l.size == 0 || compress_letter(bytes, body->raw.bytes(), dictionary.get(),
                                         dictionary ? level_with_dictionary : level_of_arrival);
  if (l.raw) {  // which the head says, too
    bytes.resize(head);
    l.dictionary = 0;
    l.encode(bytes);
    bytes.put_bytes(body->raw.bytes());
  }
  Frame f{FrameKind::body, at, bytes.size() - at - frame_header_size, 0, nullptr, l.name, letter_version};
  f.crc = crc32c(bytes.bytes(at + frame_header_size, f.length));
  f.without_dictionary = small && l.dictionary == 0;
  frames.push_back(std::move(f));
}

void Batch::Impl::put_dictionary(uint32_t id, std::span<const uint8_t> content) {
  size_t at = bytes.size();
  bytes.extend(frame_header_size);
  encode_dictionary(bytes, id, content);
  size_t length = bytes.size() - at - frame_header_size;
  frames.push_back({FrameKind::dictionary, at, length, crc32c(bytes.bytes(at + frame_header_size, length)), nullptr});
  frames.back().dictionary = id;
}

}  // namespace storage
