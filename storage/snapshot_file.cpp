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
  if (!in.ok()) return damaged("directory");
  std::map<Lsn, uint32_t> by_first = generations(d.segments);
  for (DictionaryPlace& p : d.dictionaries) p.generation = by_first[p.segment];
  return d;
}

void MailboxSection::encode(Buffer& out, const MailboxState& m, uint32_t format) {
  put_info(out, m.info_);
  put_cursor(out, m.cursor_);
  out.put_varint(m.keywords_->names.size());
  for (const std::string& k : m.keywords_->names) out.put_text(k);
  const Tombstones& t = *m.tombstones_;
  out.put<uint64_t>(t.floor.value);
  out.put<uint64_t>(t.inclusive_until.value);
  out.put<uint8_t>(t.listed ? 1 : 0);
  out.put_varint(t.entries.size());
  for (const Tombstones::Entry& e : t.entries) {
    out.put<uint64_t>(e.modseq);
    out.put<uint32_t>(e.first);
    out.put<uint32_t>(e.last);
  }
  record::encode_set(out, t.expunged);
  out.put_varint(m.chunks_.size());
  for (const auto& c : m.chunks_) put_chunk(out, *c, format);
}

Result<std::shared_ptr<const MailboxState>> MailboxSection::decode(std::shared_ptr<const Buffer> section,
                                                                   MailboxKey key, uint32_t format) {
  if (section->size() > UINT32_MAX) return damaged("section too long");
  Reader in(section->bytes());
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
    m->chunks_.push_back(get_chunk(in, section, format));
    m->size_ += m->chunks_.back()->size();
  }
  if (!in.ok() || !in.at_end()) return damaged("section");
  return std::shared_ptr<const MailboxState>(std::move(m));
}

Result<void> MailboxSection::names(std::span<const uint8_t> section, const OnName& f) {
  Reader in(section);
  in.text();  // fields
  (void)get_cursor(in);
  for (size_t n = in.count(1); n > 0; --n) in.text();
  in.bytes(17);
  in.bytes(in.count(16) * 16);
  for (size_t n = in.count(2); n > 0; --n) {
    in.varint();
    in.varint();
  }
  for (size_t n = in.count(5); n > 0 && in.ok(); --n) skip_chunk(in, f);
  if (!in.ok() || !in.at_end()) return damaged("section");
  return {};
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
Result<SnapshotFile> SnapshotFile::open_known(Env& env, const std::filesystem::path& path) {
  SnapshotFile s;
  Result<std::unique_ptr<File>> file = env.open(path, Env::Mode::read);
  if (!file) return file.error();
  s.file_ = std::move(*file);
  uint8_t bytes[SnapshotHeader::size];
  Result<size_t> n = s.file_->read_at(0, bytes);
  if (!n) return n.error();
  auto h = SnapshotHeader::decode({bytes, *n});
  if (!h) return damaged("header, or another version");
  s.header_ = *h;
  return s;
}

Result<std::shared_ptr<const Buffer>> SnapshotFile::section(const SectionRef& ref) const {
  uint64_t base = SnapshotHeader::size + uint64_t{header_.directory_length};
  if (ref.offset > header_.file_length - base || ref.length > header_.file_length - base - ref.offset) {
    return damaged("place of a section");
  }
  Result<Buffer> bytes = file_->view(base + ref.offset, static_cast<size_t>(ref.length));
  if (!bytes) return bytes.error();
  if (bytes->size() != ref.length || crc32c(bytes->bytes()) != ref.crc) return damaged("checksum of a section");
  return std::make_shared<const Buffer>(std::move(*bytes));
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
    Result<void> r = MailboxSection::names((*mailbox)->bytes(), [&](const Sha256& name) { decoder.add(name); });
    if (!r) return r.error();
  }
  Result<BodyTable> table = decoder.finish();
  if (table) table->set_generations(generations(directory_.segments));
  return table;
}

}  // namespace storage
