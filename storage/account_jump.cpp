// After an older copy of the directory was put back: numbers that clients may have seen are jumped over (design 4).
#include <algorithm>

#include "storage/account_impl.h"
#include "storage/segment_writer.h"

namespace storage {
namespace {

constexpr uint32_t uid_jump = 1u << 20;
constexpr uint64_t modseq_jump = uint64_t{1} << 32;
constexpr uint64_t max_modseq = INT64_MAX;

Uid jumped(Uid next) {
  return Uid(static_cast<uint32_t>(std::min<uint64_t>(uint64_t{next.value} + uid_jump, UINT32_MAX)));
}

ModSeq jumped(ModSeq highest) { return ModSeq(std::min<uint64_t>(highest.value + modseq_jump, max_modseq)); }

}  // namespace

// Every message gets the new number as well: what clients know of flags, and of messages that came back, is from a
// future that is gone. They ask for flags again, never for bytes.
Result<void> Account::Impl::put_jump(Batch::Impl& batch, bool uids, Lsn above) {
  const MailboxTree tree = state_.tree();
  for (const MailboxInfo& info : tree.mailboxes) {
    const bool mirror = info.mode == ModSeqMode::mirror;
    if (mirror && !uids) continue;
    Result<std::shared_ptr<const MailboxState>> box = batch.mailbox(info.key);
    if (!box) return box.error();
    const ModSeq highest = jumped(std::max(info.highest_modseq, (*box)->highest_of_messages()));
    record::Mailbox m{record::MailboxAction::change, info.key, {}, {}};
    if (mirror) m.change.mode = ModSeqMode::own;
    if (uids) m.change.uid_next = jumped(info.uid_next);
    m.change.highest_modseq = m.change.history_floor = highest;
    if (Result<void> r = batch.put(std::move(m)); !r) return r;
    if ((*box)->size() == 0) continue;
    record::FlagUpdate all{info.key, highest, {FlagsMode::add, {}}, UidSet(Uid(1), Uid(UINT32_MAX - 1))};
    if (Result<void> r = batch.put(std::move(all)); !r) return r;
  }
  const std::string note =
      std::to_string(env_.now()) + " " + std::to_string(writer().appended().value) + " " + std::to_string(above.value);
  return batch.put(record::Annotation{MailboxKey(0), restored_annotation, note});
}

Result<void> Account::Impl::jump(Lsn above, bool uids) {
  if (options_.read_only) return Failure(Errc::refused, "the store is open for reading only");
  if (Result<Lsn> r = writer().sync(); !r) return r.error();
  const Lsn end = writer().appended();
  above = std::max(above, end);
  Batch::Impl batch(*this);
  if (Result<void> r = put_jump(batch, uids, above); !r) return r;
  return commit_sealed(batch, above);
}

Result<void> Account::Impl::commit_sealed(Batch::Impl& batch, Lsn above) {
  batch.end_letter();
  const Lsn end = writer().appended();
  const SegmentName name{end.next(), Lsn(above.value + batch.frames.size()), 1};
  SegmentHeader header;
  header.first = name.first;
  header.last = name.last;
  header.generation = name.generation;
  header.account = account_;
  if (format_ >= 2) header.incompatible |= feature_format_2;
  Result<std::unique_ptr<SegmentWriter>> made = SegmentWriter::create(env_, files_.directory(), header);
  if (!made) return made.error();
  SegmentWriter& segment = **made;
  Lsn lsn = above;
  auto write = [&]() -> Result<void> {
    for (const Batch::Impl::Frame& f : batch.frames) {
      FrameHeader h;
      h.version = f.version;
      h.kind = f.kind;
      h.length = static_cast<uint32_t>(f.length);
      h.lsn = lsn = lsn.next();
      h.synced = end;
      h.epoch = epoch_;
      h.payload_crc = f.crc;
      std::span<const uint8_t> payload = batch.bytes.bytes(f.at + frame_header_size, static_cast<size_t>(f.length));
      if (Result<uint64_t> r = segment.add(h, payload); !r) return r.error();
    }
    if (Result<void> r = segment.end_batch(); !r) return r;
    if (Result<void> r = segment.seal(); !r) return r;
    return segment.publish();
  };
  if (Result<void> r = write(); !r) {
    (void)segment.discard();
    return r;
  }
  // An empty segment that waited for the next frame is covered by the new one.
  (void)env_.remove(files_.directory() / SegmentName{name.first, Lsn(0), 0}.text());
  files_.add(name);
  state_.merge(std::move(batch.layer));
  tree_.reset();
  writer().resume({}, nullptr, 0, 0, lsn, lsn);
  return {};
}

}  // namespace storage
