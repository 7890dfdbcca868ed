#include "storage/snapshot_file.h"

#include <algorithm>

#include "storage/crc32c.h"

namespace storage {
namespace {

constexpr std::string_view magic = "FLINDEX1";

Failure damaged(const char* what) { return Failure(Errc::corrupt, std::string("index.snap: ") + what); }

void put_section(Buffer& out, const SectionRef& s) {
  out.put<uint64_t>(s.offset);
  out.put<uint64_t>(s.length);
  out.put<uint32_t>(s.crc);
}

SectionRef get_section(Reader& in) {
  SectionRef s;
  s.offset = in.get<uint64_t>();
  s.length = in.get<uint64_t>();
  s.crc = in.get<uint32_t>();
  return s;
}

// A place says its segment by the first LSN; which generation that is, the directory's segments do.
std::map<Lsn, uint32_t> generations(const std::vector<SegmentName>& segments) {
  std::map<Lsn, uint32_t> by_first;
  for (const SegmentName& s : segments) by_first[s.first] = s.generation;
  return by_first;
}

void put_cursor(Buffer& out, const std::optional<SyncCursor>& cursor) {
  out.put<uint8_t>(cursor ? 1 : 0);
  if (cursor) record::encode_cursor(out, *cursor);
}

std::optional<SyncCursor> get_cursor(Reader& in) {
  if (in.get<uint8_t>() == 0) return {};
  return record::decode_cursor(in);
}

void put_info(Buffer& out, const MailboxInfo& info) {
  Buffer fields;
  record::encode_mailbox(fields, info);
  out.put_text(wire::base::as_text(fields.bytes()));
}

MailboxInfo get_info(Reader& in, MailboxKey key) {
  std::string_view fields = in.text();
  Reader inner(wire::base::as_bytes(fields));
  MailboxInfo info = record::decode_mailbox(inner);
  if (!inner.ok()) in.fail();
  info.key = key;
  return info;
}

}  // namespace

std::array<uint8_t, SnapshotHeader::size> SnapshotHeader::encode() const {
  std::array<uint8_t, size> out{};
  std::copy(magic.begin(), magic.end(), out.begin());
  store_le<uint32_t>(out.data() + 8, version);
  store_le<uint32_t>(out.data() + 12, size);
  std::copy(account.begin(), account.end(), out.begin() + 16);
  store_le<uint64_t>(out.data() + 32, lsn.value);
  store_le<uint64_t>(out.data() + 40, tail_segment.value);
  store_le<uint64_t>(out.data() + 48, tail_salt);
  store_le<uint64_t>(out.data() + 56, tail_offset);
  store_le<uint64_t>(out.data() + 64, file_length);
  store_le<uint32_t>(out.data() + 72, directory_length);
  store_le<uint32_t>(out.data() + 76, directory_crc);
  store_le<uint32_t>(out.data() + 80, format == 1 ? 0 : format);
  store_le<uint32_t>(out.data() + 92, crc32c({out.data(), 92}));
  return out;
}

Result<SnapshotHeader> SnapshotHeader::decode(std::span<const uint8_t> bytes) {
  if (bytes.size() < size || wire::base::as_text(bytes.first(magic.size())) != magic) return damaged("header");
  const uint8_t* p = bytes.data();
  if (crc32c({p, 92}) != load_le<uint32_t>(p + 92)) return damaged("header");
  auto format = load_le<uint32_t>(p + 80);
  if (load_le<uint32_t>(p + 8) != version || load_le<uint32_t>(p + 12) != size || format > newest_format) {
    return Failure(Errc::unsupported, "index.snap of a later version");
  }
  SnapshotHeader h;
  h.format = std::max<uint32_t>(format, 1);
  std::copy_n(p + 16, h.account.size(), h.account.begin());
  h.lsn = Lsn(load_le<uint64_t>(p + 32));
  h.tail_segment = Lsn(load_le<uint64_t>(p + 40));
  h.tail_salt = load_le<uint64_t>(p + 48);
  h.tail_offset = load_le<uint64_t>(p + 56);
  h.file_length = load_le<uint64_t>(p + 64);
  h.directory_length = load_le<uint32_t>(p + 72);
  h.directory_crc = load_le<uint32_t>(p + 76);
  return h;
}

void SnapshotDirectory::encode(Buffer& out) const {
  out.put<uint64_t>(next_key.value);
  out.put<uint64_t>(epoch.value);
  put_section(out, bodies);
  out.put_varint(segments.size());
  for (const SegmentName& s : segments) {
    out.put<uint64_t>(s.first.value);
    out.put<uint64_t>(s.last.value);
    out.put<uint32_t>(s.generation);
  }
  out.put_varint(subscriptions.size());
  for (const std::string& s : subscriptions) out.put_text(s);
  out.put_varint(validities.size());
  for (const auto& [name, v] : validities) {
    out.put_text(name);
    out.put<uint32_t>(v.value);
  }
  out.put_varint(slots.size());
  for (const auto& [key, slot] : slots) {
    out.put<uint64_t>(key.value);
    put_info(out, slot.current());
    put_cursor(out, slot.mailbox ? slot.mailbox->cursor() : slot.cursor);
    put_section(out, slot.section);
  }
  out.put_varint(annotations.size());
  for (const auto& [name, value] : annotations) {
    out.put_text(name);
    out.put_text(value);
  }
  out.put_varint(small_bodies);
  out.put_varint(dictionaries.size());
  for (const DictionaryPlace& p : dictionaries) {
    out.put<uint32_t>(p.id);
    out.put<uint64_t>(p.segment.value);
    out.put<uint64_t>(p.offset);
    out.put<uint32_t>(p.length);
  }
  put_section(out, finder);
}

Result<SnapshotDirectory> SnapshotDirectory::decode(std::span<const uint8_t> bytes) {
  Reader in(bytes);
  SnapshotDirectory d;
  d.next_key = MailboxKey(in.get<uint64_t>());
  d.epoch = Epoch(in.get<uint64_t>());
  d.bodies = get_section(in);
  for (size_t n = in.count(20); n > 0; --n) {
    SegmentName s;
    s.first = Lsn(in.get<uint64_t>());
    s.last = Lsn(in.get<uint64_t>());
    s.generation = in.get<uint32_t>();
    d.segments.push_back(s);
  }
  for (size_t n = in.count(1); n > 0; --n) d.subscriptions.emplace(in.text());
  for (size_t n = in.count(5); n > 0; --n) {
    std::string name(in.text());
    d.validities[name] = UidValidity(in.get<uint32_t>());
  }
  for (size_t n = in.count(29); n > 0; --n) {
    MailboxKey key(in.get<uint64_t>());
    AccountState::Slot& slot = d.slots[key];
    slot.info = get_info(in, key);
    slot.cursor = get_cursor(in);
    slot.section = get_section(in);
  }
  // The first snapshots ended here.
  for (size_t n = in.at_end() ? 0 : in.count(2); n > 0; --n) {
    std::string name(in.text());
    d.annotations[name] = in.text();
  }
  if (!in.at_end()) {
    d.small_bodies = in.varint();
    for (size_t n = in.count(24); n > 0; --n) {
      DictionaryPlace p;
      p.id = in.get<uint32_t>();
      p.segment = Lsn(in.get<uint64_t>());
      p.offset = in.get<uint64_t>();
      p.length = in.get<uint32_t>();
      d.dictionaries.push_back(p);
    }
  }
  if (!in.at_end()) d.finder = get_section(in);
  if (!in.ok()) return damaged("directory");
  std::map<Lsn, uint32_t> by_first = generations(d.segments);
  for (DictionaryPlace& p : d.dictionaries) p.generation = by_first[p.segment];
  return d;
}

void MailboxSection::encode(Buffer& hot, Buffer& cold, const MailboxState& m, uint32_t format,
                            std::vector<ColdPiece>& pieces) {
  put_info(hot, m.info_);
  put_cursor(hot, m.cursor_);
  hot.put_varint(m.keywords_->names.size());
  for (const std::string& k : m.keywords_->names) hot.put_text(k);
  const Tombstones& t = *m.tombstones_;
  hot.put<uint64_t>(t.floor.value);
  hot.put<uint64_t>(t.inclusive_until.value);
  hot.put<uint8_t>(t.listed ? 1 : 0);
  hot.put_varint(t.entries.size());
  for (const Tombstones::Entry& e : t.entries) {
    hot.put<uint64_t>(e.modseq);
    hot.put<uint32_t>(e.first);
    hot.put<uint32_t>(e.last);
  }
  record::encode_set(hot, t.expunged);
  hot.put_varint(m.chunks_.size());
  for (const auto& c : m.chunks_) put_chunk(hot, cold, c, format, pieces);
}

Result<std::shared_ptr<const MailboxState>> MailboxSection::decode(std::shared_ptr<const Buffer> hot, MailboxKey key,
                                                                   uint32_t format, ColdStore::Place cold) {
  if (hot->size() > UINT32_MAX) return damaged("section too long");
  Reader in(hot->bytes());
  auto m = std::make_shared<MailboxState>(get_info(in, key));
  m->cursor_ = get_cursor(in);
  for (size_t n = in.count(1); n > 0; --n) m->keywords_->add(in.text());
  Tombstones& t = *m->tombstones_;
  t.floor = ModSeq(in.get<uint64_t>());
  t.inclusive_until = ModSeq(in.get<uint64_t>());
  t.listed = in.get<uint8_t>() != 0;
  for (size_t n = in.count(16); n > 0; --n) {
    Tombstones::Entry e{};
    e.modseq = in.get<uint64_t>();
    e.first = in.get<uint32_t>();
    e.last = in.get<uint32_t>();
    t.entries.push_back(e);
  }
  t.expunged = record::decode_set(in);
  for (size_t n = in.count(5); n > 0 && in.ok(); --n) {
    m->chunks_.push_back(format == 1 ? get_plain_chunk(in, hot) : get_packed_chunk(in, key, cold));
    m->size_ += m->chunks_.back()->size();
  }
  if (!in.ok() || !in.at_end()) return damaged("section");
  return std::shared_ptr<const MailboxState>(std::move(m));
}

Result<std::vector<PassedChunk>> MailboxSection::chunks(std::span<const uint8_t> hot) {
  Reader in(hot);
  in.text();  // fields
  (void)get_cursor(in);
  for (size_t n = in.count(1); n > 0; --n) in.text();
  in.bytes(17);
  in.bytes(in.count(16) * 16);
  for (size_t n = in.count(2); n > 0; --n) {
    in.varint();
    in.varint();
  }
  std::vector<PassedChunk> all;
  for (size_t n = in.count(5); n > 0 && in.ok(); --n) all.push_back(skip_chunk(in));
  if (!in.ok() || !in.at_end()) return damaged("section");
  return all;
}

Result<SnapshotFile> SnapshotFile::open(Env& env, const std::filesystem::path& path) {
  SnapshotFile s;
  Result<std::unique_ptr<File>> file = env.open(path, Env::Mode::read);
  if (!file) return file.error();
  s.file_ = std::move(*file);
  Result<uint64_t> size = s.file_->size();
  if (!size) return size.error();
  uint8_t bytes[SnapshotHeader::size];
  Result<size_t> n = s.file_->read_at(0, bytes);
  if (!n) return n.error();
  Result<SnapshotHeader> h = SnapshotHeader::decode({bytes, *n});
  if (!h) return h.error();
  if (h->file_length != *size || h->directory_length > *size - SnapshotHeader::size) return damaged("length");
  s.header_ = *h;
  Buffer directory;
  directory.resize(h->directory_length);
  n = s.file_->read_at(SnapshotHeader::size, {directory.data(), directory.size()});
  if (!n) return n.error();
  if (*n != directory.size() || crc32c(directory.bytes()) != h->directory_crc) return damaged("directory");
  Result<SnapshotDirectory> d = SnapshotDirectory::decode(directory.bytes());
  if (!d) return d.error();
  s.directory_ = std::move(*d);
  return s;
}

// With thousands of mailboxes the directory costs more than what is looked for: one whose directory is known is not
// read again. A file that is another one by now has other sections, whose checksums tell.
Result<SnapshotFile> SnapshotFile::open_known(std::shared_ptr<const File> file) {
  SnapshotFile s;
  s.file_ = std::move(file);
  uint8_t bytes[SnapshotHeader::size];
  Result<size_t> n = s.file_->read_at(0, bytes);
  if (!n) return n.error();
  auto h = SnapshotHeader::decode({bytes, *n});
  if (!h) return damaged("header, or another version");
  s.header_ = *h;
  return s;
}

Result<std::shared_ptr<const Buffer>> SnapshotFile::section(const SectionRef& ref) const {
  const uint64_t base = this->base();
  if (ref.offset > header_.file_length - base || ref.length > header_.file_length - base - ref.offset) {
    return damaged("place of a section");
  }
  auto bytes = std::make_shared<Buffer>();
  bytes->resize(static_cast<size_t>(ref.length));
  Result<size_t> n = file_->read_at(base + ref.offset, {bytes->data(), bytes->size()});
  if (!n) return n.error();
  if (*n != ref.length || crc32c(bytes->bytes()) != ref.crc) return damaged("checksum of a section");
  return std::shared_ptr<const Buffer>(std::move(bytes));
}

Result<std::shared_ptr<const MailboxState>> SnapshotFile::mailbox(const SectionRef& ref, MailboxKey key,
                                                                  std::shared_ptr<const ColdFile> cold) const {
  Result<std::shared_ptr<const Buffer>> hot = section(ref);
  if (!hot) return hot.error();
  ColdStore::Place place{std::move(cold), base() + ref.offset + ref.length, 0, 0};
  return MailboxSection::decode(*hot, key, header_.format, std::move(place));
}

Result<std::shared_ptr<const Buffer>> SnapshotFile::cold(const SectionRef& ref, const Buffer& hot,
                                                         const OnName& f) const {
  Result<std::vector<PassedChunk>> chunks = MailboxSection::chunks(hot.bytes());
  if (!chunks) return chunks.error();
  uint64_t length = 0, at = 0;
  for (const PassedChunk& c : *chunks) length += c.cold_length;
  const uint64_t from = base() + ref.offset + ref.length;
  if (from > header_.file_length || length > header_.file_length - from) return damaged("place of a section");
  auto bytes = std::make_shared<Buffer>();
  bytes->resize(static_cast<size_t>(length));
  Result<size_t> n = file_->read_at(from, {bytes->data(), bytes->size()});
  if (!n) return n.error();
  if (*n != length) return damaged("length");
  for (const PassedChunk& c : *chunks) {
    std::span<const uint8_t> part = bytes->bytes(static_cast<size_t>(at), c.cold_length);
    if (crc32c(part) != c.cold_crc) return damaged("checksum of messages");
    if (!ColdStore::parse(part, c.messages)) return damaged("messages");
    at += c.cold_length;
  }
  at = 0;
  for (const PassedChunk& c : *chunks) {
    std::span<const uint8_t> part = bytes->bytes(static_cast<size_t>(at), c.cold_length);
    if (Result<void> r = names_of(part, c.messages, f); !r) return r.error();
    at += c.cold_length;
  }
  return std::shared_ptr<const Buffer>(std::move(bytes));
}

Result<BodyTable> SnapshotFile::bodies() const {
  Result<std::shared_ptr<const Buffer>> places = section(directory_.bodies);
  if (!places) return places.error();
  if (header_.format == 1) {
    Result<BodyTable> table = decode_places((*places)->bytes());
    if (table) table->set_generations(generations(directory_.segments));
    return table;
  }
  // Their names are in the mailboxes' sections.
  BodyDecoder decoder((*places)->bytes());
  for (const auto& [key, slot] : directory_.slots) {
    Result<std::shared_ptr<const Buffer>> mailbox = section(slot.section);
    if (!mailbox) return mailbox.error();
    auto r = cold(slot.section, **mailbox, [&](const Sha256& name) { decoder.add(name); });
    if (!r) return r.error();
  }
  Result<BodyTable> table = decoder.finish();
  if (table) table->set_generations(generations(directory_.segments));
  return table;
}

Result<std::shared_ptr<const BodyFinder>> SnapshotFile::finder(const SectionRef& ref) const {
  if (ref.length == 0) return std::shared_ptr<const BodyFinder>();
  Result<std::shared_ptr<const Buffer>> head = section(ref);
  if (!head) return head.error();
  return BodyFinder::open(file_, base() + ref.offset, (*head)->bytes());
}

}  // namespace storage
