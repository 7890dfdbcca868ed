#include "storage/derived.h"

#include <algorithm>

#include "storage/derived_index.h"

namespace storage {
namespace {

constexpr size_t small_entries = derived_group_entries / 4;
constexpr size_t small_bytes = 256u << 10;  // stored

bool is_small(const DerivedGroupHeader& h) { return h.count < small_entries && h.length < small_bytes; }

}  // namespace

// --- DerivedGroup

void DerivedGroup::add(const DerivedKey& key, uint8_t marks, std::span<const std::string_view> blobs) {
  keys_.push_back(key);
  marks_.push_back(marks);
  for (size_t c = 0; c < columns_; ++c) {
    if (c < blobs.size()) {
      blobs_[c].put_bytes(wire::base::as_bytes(blobs[c]));
      bytes_ += blobs[c].size();
    }
    ends_[c].push_back(static_cast<uint32_t>(blobs_[c].size()));
  }
}

void DerivedGroup::clear() {
  keys_.clear();
  marks_.clear();
  for (auto& e : ends_) e.clear();
  for (auto& b : blobs_) b.clear();
  bytes_ = 0;
}

Buffer DerivedGroup::encode(uint64_t salt, uint64_t offset, DerivedDirectory& directory,
                            DerivedGroupHeader& header) const {
  directory.keys = keys_;
  directory.marks = marks_;
  directory.ends = ends_;
  Buffer blocks;
  for (size_t c = 0; c < columns_; ++c) {
    const auto put = [&](size_t from, size_t to) {
      for (; from < to; from += std::min(to - from, derived_block_size)) {
        DerivedDirectory::Block b;
        b.column = static_cast<uint8_t>(c);
        b.piece = derived_compress(blocks, blobs_[c].bytes(from, std::min(to - from, derived_block_size)));
        directory.blocks.push_back(b);
      }
    };
    size_t from = 0, to = 0;
    for (uint32_t end : ends_[c]) {
      if (end - from > derived_block_size) {
        put(from, to);
        from = to;
      }
      to = end;
    }
    put(from, to);
  }
  Buffer raw, out;
  directory.encode(raw, columns_);
  out.extend(DerivedGroupHeader::size);
  header.directory = derived_compress(out, raw.bytes());
  out.put_bytes(blocks.bytes());
  header.count = static_cast<uint32_t>(keys_.size());
  header.length = static_cast<uint32_t>(out.size() - DerivedGroupHeader::size);
  header.offset = offset;
  const auto bytes = header.encode(salt);
  std::copy(bytes.begin(), bytes.end(), out.data());
  return out;
}

// --- DerivedReader

DerivedReader::DerivedReader(DerivedReader&&) noexcept = default;
DerivedReader::~DerivedReader() = default;

bool DerivedReader::enter(uint32_t group) {
  std::shared_ptr<File> file;
  uint64_t offset = 0;
  {
    const std::lock_guard lock(file_->mutex);
    if (file_->groups[group].dropped) return false;
    file = file_->file;
    offset = file_->groups[group].offset;
  }
  group_ = UINT32_MAX;
  for (Loaded& l : loaded_) l.block = UINT32_MAX;
  auto head = read_group(*file, file_->header.salt, offset, file_->header.columns, stored_);
  if (!head) {
    file_->drop(group);
    return false;
  }
  directory_ = std::move(head->directory);
  blocks_at_ = offset + DerivedGroupHeader::size + head->header.directory.stored;
  group_ = group;
  return true;
}

std::optional<uint8_t> DerivedReader::seek(const Sha256& name) {
  const DerivedKey key = derived_key(name);
  // What lies next to the last one is mostly asked for next.
  if (group_ != UINT32_MAX && slot_ + 1 < directory_.keys.size() && directory_.keys[slot_ + 1] == key) {
    ++slot_;
    return directory_.marks[slot_];
  }
  uint32_t group = 0, slot = 0;
  {
    const std::lock_guard lock(file_->mutex);
    const uint32_t entry = file_->index.find(key);
    if (entry == DerivedIndex::nowhere) return std::nullopt;
    const auto after = std::upper_bound(file_->groups.begin(), file_->groups.end(), entry,
                                        [](uint32_t e, const DerivedFile::Group& g) { return e < g.first; });
    group = static_cast<uint32_t>(after - file_->groups.begin()) - 1;
    slot = entry - file_->groups[group].first;
  }
  if (group != group_ && !enter(group)) return std::nullopt;
  slot_ = slot;
  if (slot >= directory_.keys.size() || directory_.keys[slot] != key) return std::nullopt;
  return directory_.marks[slot];
}

std::optional<std::string_view> DerivedReader::damaged() {
  file_->drop(group_);
  group_ = UINT32_MAX;
  return std::nullopt;
}

bool DerivedReader::load(size_t c, uint32_t block) {
  Loaded& l = loaded_[c];
  if (l.block == block) return true;
  l.block = UINT32_MAX;
  const DerivedDirectory::Block& b = directory_.blocks[block];
  std::shared_ptr<File> file;
  {
    const std::lock_guard lock(file_->mutex);
    file = file_->file;
  }
  stored_.resize(b.piece.stored);
  const Result<size_t> n = file->read_at(blocks_at_ + b.at, {stored_.data(), stored_.size()});
  if (!n || !derived_decompress(b.piece, stored_.bytes(0, *n), l.raw)) return false;
  l.block = block;
  return true;
}

std::optional<std::string_view> DerivedReader::column(size_t c) {
  if (group_ == UINT32_MAX) return std::nullopt;
  const std::vector<uint32_t>& ends = directory_.ends[c];
  const uint32_t begin = slot_ == 0 ? 0 : ends[slot_ - 1], end = ends[slot_];
  if (begin == end) return std::string_view();
  const auto first = directory_.blocks.begin() + directory_.first_block[c];
  const auto last = directory_.blocks.begin() + directory_.first_block[c + 1];
  auto at = std::upper_bound(first, last, begin,
                             [](uint32_t b, const DerivedDirectory::Block& block) { return b < block.begin; });
  auto block = static_cast<uint32_t>(at - directory_.blocks.begin()) - 1;
  Loaded& l = loaded_[c];
  if (!load(c, block)) return damaged();
  const uint32_t from = begin - directory_.blocks[block].begin;
  if (end - begin <= l.raw.size() - from) return wire::base::as_text(l.raw.bytes(from, end - begin));
  if (end - begin > derived_blob_max) return damaged();
  l.joined.clear();
  for (uint32_t offset = from;; offset = 0) {
    const size_t n = std::min<size_t>(end - begin - l.joined.size(), l.raw.size() - offset);
    l.joined.put_bytes(l.raw.bytes(offset, n));
    if (l.joined.size() == end - begin) return wire::base::as_text(l.joined.bytes());
    if (++block >= directory_.first_block[c + 1] || !load(c, block)) return damaged();
  }
}

// --- DerivedData

DerivedData::DerivedData(Env& env, std::filesystem::path path, Kind kind)
    : env_(env), path_(std::move(path)), kind_(kind), file_(std::make_shared<DerivedFile>()) {}

DerivedData::~DerivedData() = default;

std::shared_ptr<DerivedData> DerivedData::open(Env& env, std::filesystem::path path, Kind kind) {
  std::shared_ptr<DerivedData> out(new DerivedData(env, std::move(path), kind));
  auto file = env.open(out->path_, Env::Mode::write);
  if (!file) return out;
  uint8_t bytes[DerivedHeader::size];
  const Result<size_t> n = (*file)->read_at(0, bytes);
  if (!n) return out;
  const auto header = DerivedHeader::decode({bytes, *n});
  if (!header || header->account != kind.account || header->content != kind.content ||
      header->columns != kind.columns) {
    return out;
  }
  out->file_->file = std::move(*file);
  out->file_->header = *header;
  out->file_->end = DerivedHeader::size;
  out->file_->load();
  return out;
}

std::shared_ptr<DerivedFile> DerivedData::current() const {
  const std::lock_guard lock(mutex_);
  return file_;
}

bool DerivedData::has(const Sha256& name) const {
  const auto file = current();
  const std::lock_guard lock(file->mutex);
  return file->index.find(derived_key(name)) != DerivedIndex::nowhere;
}

DerivedData::Stats DerivedData::stats() const {
  const auto file = current();
  const std::lock_guard lock(file->mutex);
  Stats s;
  s.entries = file->index.size();
  s.bytes = file->end;
  s.groups = file->groups.size();
  for (const auto& g : file->groups) s.small += is_small(g.header) || g.dropped ? 1 : 0;
  return s;
}

DerivedReader DerivedData::reader() const { return DerivedReader(current()); }

Result<std::shared_ptr<DerivedFile>> DerivedData::create(const std::filesystem::path& path) const {
  auto made = std::make_shared<DerivedFile>();
  auto file = env_.open(path, Env::Mode::truncate);
  if (!file) return file.error();
  DerivedHeader& h = made->header;
  h.account = kind_.account;
  h.content = kind_.content;
  h.columns = kind_.columns;
  uint8_t salt[8];
  env_.random(salt);
  h.salt = load_le<uint64_t>(salt);
  if (Result<void> r = (*file)->write_at(0, h.encode()); !r) return r.error();
  made->file = std::move(*file);
  made->end = DerivedHeader::size;
  return made;
}

// The group is whole on disk before anybody can find it.
Result<void> DerivedData::append_to(DerivedFile& to, const DerivedGroup& group) const {
  DerivedDirectory directory;
  DerivedGroupHeader header;
  std::shared_ptr<File> file;
  uint64_t end = 0;
  {
    const std::lock_guard lock(to.mutex);
    file = to.file;
    end = to.end;
  }
  const Buffer bytes = group.encode(to.header.salt, end, directory, header);
  // What a crash left behind the last whole group must not follow the new one.
  if (Result<void> r = file->truncate(end); !r) return r;
  if (Result<void> r = file->write_at(end, bytes.bytes()); !r) return r;
  const std::lock_guard lock(to.mutex);
  to.add(header, directory.keys);
  return {};
}

Result<void> DerivedData::append(const DerivedGroup& group) {
  if (group.empty()) return {};
  if (failed_) return Failure(Errc::io, "derived data could not be written before");
  auto to = current();
  if (!to->file) {
    auto made = create(path_);
    if (!made) {
      failed_ = true;
      return made.error();
    }
    const std::lock_guard lock(mutex_);
    file_ = to = *made;
  }
  Result<void> done = append_to(*to, group);
  failed_ = !done;
  return done;
}

Result<void> DerivedData::rewrite(std::span<const Sha256> keep, const std::atomic<bool>& cancelled) {
  if (failed_) return Failure(Errc::io, "derived data could not be written before");
  std::filesystem::path temporary = path_;
  temporary += ".tmp";
  auto made = create(temporary);
  if (!made) return made.error();
  DerivedReader from = reader();
  DerivedGroup group(kind_.columns);
  std::vector<std::string_view> blobs(kind_.columns);
  DerivedIndex taken;
  uint32_t number = 0;
  Result<void> done;
  for (size_t i = 0; i < keep.size() && done; ++i) {
    if (cancelled) done = Failure(Errc::closed, "the account is being closed");
    const auto marks = from.seek(keep[i]);
    if (!marks || !taken.add(derived_key(keep[i]), number)) continue;
    ++number;
    bool whole = true;
    for (size_t c = 0; c < blobs.size() && whole; ++c) {
      const auto blob = from.column(c);
      whole = blob.has_value();
      if (whole) blobs[c] = *blob;
    }
    if (!whole) continue;
    group.add(derived_key(keep[i]), *marks, blobs);
    if (!group.full()) continue;
    done = append_to(**made, group);
    group.clear();
  }
  if (done && !group.empty()) done = append_to(**made, group);
  if (done) done = env_.rename(temporary, path_);
  if (!done) {
    (void)env_.remove(temporary);  // a leftover is ignored, and emptied by the next rewrite
    return done;
  }
  const std::lock_guard lock(mutex_);
  file_ = std::move(*made);
  return {};
}

}  // namespace storage
