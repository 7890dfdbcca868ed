#include "storage/derived_index.h"

#include <algorithm>

namespace storage {

namespace {

constexpr size_t first_capacity = 64;

uint64_t print_of(const DerivedKey& key) { return load_le<uint64_t>(key.data()) | 1; }  // 0: free

}  // namespace

size_t DerivedIndex::place(uint64_t print) const {
  const size_t mask = prints_.size() - 1;
  // A hash's bits need no further mixing; the lowest is always set.
  size_t at = static_cast<size_t>(print >> 1) & mask;
  while (prints_[at] != 0 && prints_[at] != print) at = (at + 1) & mask;
  return at;
}

bool DerivedIndex::add(const DerivedKey& key, uint32_t entry) {
  if (used_ * 10 >= prints_.size() * 7) grow();
  const uint64_t print = print_of(key);
  const size_t at = place(print);
  if (prints_[at] == 0) {
    prints_[at] = print;
    ++used_;
  }
  const bool fresh = entries_[at] == nowhere;
  entries_[at] = entry;
  if (fresh) ++live_;
  return fresh;
}

uint32_t DerivedIndex::find(const DerivedKey& key) const {
  if (prints_.empty()) return nowhere;
  const size_t at = place(print_of(key));
  return prints_[at] == 0 ? nowhere : entries_[at];
}

void DerivedIndex::drop(uint32_t first, uint32_t last) {
  for (uint32_t& entry : entries_) {
    if (entry < first || entry >= last) continue;
    entry = nowhere;
    --live_;
  }
}

void DerivedIndex::grow() {
  std::vector<uint64_t> prints(std::max(first_capacity, prints_.size() * 2));
  std::vector<uint32_t> entries(prints.size(), nowhere);
  prints.swap(prints_);
  entries.swap(entries_);
  used_ = 0;
  for (size_t i = 0; i < prints.size(); ++i) {
    if (prints[i] == 0 || entries[i] == nowhere) continue;
    const size_t at = place(prints[i]);
    prints_[at] = prints[i];
    entries_[at] = entries[i];
    ++used_;
  }
}

void DerivedFile::add(const DerivedGroupHeader& h, std::span<const DerivedKey> keys) {
  groups.push_back({h.offset, h, next, false});
  for (size_t i = 0; i < keys.size(); ++i) index.add(keys[i], next + static_cast<uint32_t>(i));
  next += static_cast<uint32_t>(keys.size());
  end = h.offset + DerivedGroupHeader::size + h.length;
}

void DerivedFile::drop(uint32_t group) {
  const std::lock_guard lock(mutex);
  Group& g = groups[group];
  if (std::exchange(g.dropped, true)) return;
  index.drop(g.first, g.first + g.header.count);
}

// Reads more than it needs: what is mostly asked for next, the first column, then lies in the page cache, for a
// fraction of what many small reads of a disk cost.
void DerivedFile::load() {
  constexpr size_t ahead = 128u << 10;
  Buffer scratch;
  const Result<uint64_t> size = file->size();
  while (size && next < UINT32_MAX - derived_group_entries) {
    auto head = read_group(*file, header.salt, end, header.columns, scratch, ahead);
    if (!head || end + DerivedGroupHeader::size + head->header.length > *size) return;
    add(head->header, head->directory.keys);
  }
}

std::optional<DerivedGroupHead> read_group(const File& file, uint64_t salt, uint64_t offset, size_t columns,
                                           Buffer& scratch, size_t guess) {
  DerivedGroupHead out;
  scratch.resize(guess);
  Result<size_t> n = file.read_at(offset, {scratch.data(), scratch.size()});
  if (!n) return {};
  auto header = DerivedGroupHeader::decode(scratch.bytes(0, *n), salt, offset);
  if (!header) return {};
  out.header = *header;
  const size_t wanted = DerivedGroupHeader::size + header->directory.stored;
  if (*n < wanted) {
    scratch.resize(wanted);
    n = file.read_at(offset, {scratch.data(), scratch.size()});
    if (!n || *n < wanted) return {};
  }
  Buffer raw;
  if (!derived_decompress(header->directory, scratch.bytes(DerivedGroupHeader::size, header->directory.stored), raw)) {
    return {};
  }
  auto directory = DerivedDirectory::decode(raw.bytes(), header->count, columns);
  if (!directory) return {};
  out.directory = std::move(*directory);
  return out;
}

}  // namespace storage
