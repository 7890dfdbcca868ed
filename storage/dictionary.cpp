#include "storage/dictionary.h"

#include <zdict.h>
#include <zstd.h>

#include <algorithm>
#include <list>

#include "storage/crc32c.h"
#include "storage/frame.h"

namespace storage {
namespace {

constexpr size_t max_stored_dictionary = 1u << 20;  // of any build: bounds what a damaged log can ask for

struct FreeContext {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
  void operator()(ZSTD_DCtx* c) const { ZSTD_freeDCtx(c); }
};

ZSTD_CCtx* compression() {
  thread_local std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  return context.get();
}

ZSTD_DCtx* decompression() {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  return context.get();
}

// The most recently used ones of the process. One takes 64 KiB, 30 more to read with and about 300 more to write with.
class Cache {
 public:
  static Cache& instance() {
    static Cache cache;
    return cache;
  }
  std::shared_ptr<const Dictionary> find(const Dictionaries* owner, uint32_t id) {
    std::lock_guard lock(mutex_);
    auto it = at(owner, id);
    if (it == entries_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, it);
    return it->dictionary;
  }
  std::shared_ptr<const Dictionary> add(const Dictionaries* owner, std::shared_ptr<const Dictionary> d) {
    std::lock_guard lock(mutex_);
    if (auto it = at(owner, d->id()); it != entries_.end()) return it->dictionary;  // another thread was first
    entries_.push_front({owner, d});
    if (entries_.size() > most) entries_.pop_back();
    return d;
  }
  void forget(const Dictionaries* owner) {
    std::lock_guard lock(mutex_);
    entries_.remove_if([&](const Entry& e) { return e.owner == owner; });
  }

 private:
  static constexpr size_t most = 64;
  struct Entry {
    const Dictionaries* owner;
    std::shared_ptr<const Dictionary> dictionary;
  };
  std::list<Entry>::iterator at(const Dictionaries* owner, uint32_t id) {
    return std::find_if(entries_.begin(), entries_.end(),
                        [&](const Entry& e) { return e.owner == owner && e.dictionary->id() == id; });
  }
  std::mutex mutex_;
  std::list<Entry> entries_;
};

Failure lost(uint32_t id, const char* why) {
  return Failure(Errc::corrupt, "dictionary " + std::to_string(id) + " of the account " + why);
}

}  // namespace

Dictionary::Dictionary(uint32_t id, std::vector<uint8_t> bytes)
    : id_(id), bytes_(std::move(bytes)), decompressor_(ZSTD_createDDict(bytes_.data(), bytes_.size())) {}

Dictionary::~Dictionary() {
  ZSTD_freeDDict(static_cast<ZSTD_DDict*>(decompressor_));
  for (auto& [level, c] : compressors_) ZSTD_freeCDict(static_cast<ZSTD_CDict*>(c));
}

const void* Dictionary::compressor(int level) const {
  std::lock_guard lock(mutex_);
  auto [it, fresh] = compressors_.emplace(level, nullptr);
  if (fresh) it->second = ZSTD_createCDict(bytes_.data(), bytes_.size(), level);
  return it->second;
}

Dictionaries::~Dictionaries() { Cache::instance().forget(this); }

void Dictionaries::set_files(OpenSegment open) {
  std::lock_guard lock(mutex_);
  open_ = std::move(open);
}

void Dictionaries::put(const DictionaryPlace& place) {
  std::lock_guard lock(mutex_);
  places_[place.id] = place;
}

void Dictionaries::needed(uint32_t id) {
  std::lock_guard lock(mutex_);
  if (auto [it, missing] = places_.try_emplace(id); missing) it->second.id = id;
}

uint32_t Dictionaries::next_id() const {
  std::lock_guard lock(mutex_);
  return places_.empty() ? 1 : places_.rbegin()->first + 1;
}

std::vector<DictionaryPlace> Dictionaries::all() const {
  std::lock_guard lock(mutex_);
  std::vector<DictionaryPlace> all;
  for (const auto& [id, place] : places_) all.push_back(place);
  return all;
}

uint32_t Dictionaries::newest() const {
  std::lock_guard lock(mutex_);
  for (auto it = places_.rbegin(); it != places_.rend(); ++it) {
    if (it->second.segment) return it->first;
  }
  return 0;
}

Result<std::shared_ptr<const Dictionary>> Dictionaries::get(uint32_t id) const {
  if (auto cached = Cache::instance().find(this, id)) return cached;
  std::optional<DictionaryPlace> tried;
  Failure wrong = lost(id, "is missing");
  while (true) {
    DictionaryPlace place;
    OpenSegment open;
    {
      std::lock_guard lock(mutex_);
      auto it = places_.find(id);
      if (it == places_.end() || !open_) return wrong;
      const bool same = tried && tried->segment == it->second.segment && tried->generation == it->second.generation &&
                        tried->offset == it->second.offset;
      // Not asked for again, and another one may be made.
      if (same && wrong.code == Errc::corrupt) it->second.segment = Lsn(0);
      if (same || !it->second.segment) return wrong;
      place = it->second;
      open = open_;
    }
    Result<std::shared_ptr<const Dictionary>> read = read_from(open, place);
    if (read) return Cache::instance().add(this, std::move(*read));
    // A rewrite may have moved it meanwhile: then there is another place to look at.
    wrong = read.error();
    tried = place;
  }
}

Result<std::shared_ptr<const Dictionary>> Dictionaries::read_from(const OpenSegment& open,
                                                                  const DictionaryPlace& place) {
  const uint32_t id = place.id;
  Result<std::shared_ptr<File>> file = open(place.segment, place.generation);
  if (!file) return file.error();
  if (place.length > max_stored_dictionary) return lost(id, "is damaged");
  Buffer bytes;
  bytes.resize(frame_header_size + place.length);
  Result<size_t> n = (*file)->read_at(place.offset, {bytes.data(), bytes.size()});
  if (!n) return n.error();
  if (*n != bytes.size()) return lost(id, "is damaged");
  std::span<const uint8_t> payload = bytes.bytes(frame_header_size, place.length);
  uint64_t salt = load_le<uint64_t>(bytes.data()) ^ frame_magic(0);
  std::optional<FrameHeader> header = FrameHeader::decode(bytes.bytes(), salt);
  uint32_t found = 0;
  if (!header || header->length != place.length || crc32c(payload) != header->payload_crc) {
    return lost(id, "is damaged");
  }
  Result<std::vector<uint8_t>> content = decode_dictionary(payload, found);
  if (!content || found != id) return lost(id, "is damaged");
  auto made = std::make_shared<const Dictionary>(id, std::move(*content));
  if (made->decompressor() == nullptr) return lost(id, "is damaged");
  return std::shared_ptr<const Dictionary>(std::move(made));
}

void encode_dictionary(Buffer& out, uint32_t id, std::span<const uint8_t> bytes) {
  out.put_varint(id);
  out.put_varint(bytes.size());
  size_t at = out.size(), bound = ZSTD_compressBound(bytes.size());
  uint8_t* p = out.extend(bound);
  out.resize(at + zstd_compress({p, bound}, bytes, nullptr, 9));
}

Result<std::vector<uint8_t>> decode_dictionary(std::span<const uint8_t> payload, uint32_t& id) {
  Reader in(payload);
  uint64_t number = in.varint(), size = in.varint();
  if (!in.ok() || number == 0 || number > UINT32_MAX || size > max_stored_dictionary) {
    return Failure(Errc::corrupt, "frame with impossible content");
  }
  id = static_cast<uint32_t>(number);
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  if (!zstd_decompress(bytes, in.rest(), nullptr)) return Failure(Errc::corrupt, "dictionary does not decompress");
  return bytes;
}

std::vector<uint8_t> train_dictionary(const std::vector<std::string>& samples) {
  std::string all;
  std::vector<size_t> sizes;
  for (const std::string& s : samples) {
    if (s.empty() || all.size() + s.size() > sample_limit) continue;
    all += s;
    sizes.push_back(s.size());
  }
  // zstd wants far more text than it keeps.
  std::vector<uint8_t> bytes(std::min(max_dictionary_size, all.size() / 8));
  if (bytes.size() < 1024) return {};
  size_t n =
      ZDICT_trainFromBuffer(bytes.data(), bytes.size(), all.data(), sizes.data(), static_cast<unsigned>(sizes.size()));
  if (ZDICT_isError(n)) return {};
  bytes.resize(n);
  return bytes;
}

size_t zstd_compress(std::span<uint8_t> out, std::span<const uint8_t> raw, const Dictionary* dictionary, int level) {
  ZSTD_CCtx* c = compression();
  ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
  // The head says both: four to eight bytes a message.
  ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
  ZSTD_CCtx_setParameter(c, ZSTD_c_dictIDFlag, 0);
  if (dictionary != nullptr) {
    const auto* prepared = static_cast<const ZSTD_CDict*>(dictionary->compressor(level));
    if (prepared == nullptr || ZSTD_isError(ZSTD_CCtx_refCDict(c, prepared))) return 0;
  }
  size_t n = ZSTD_compress2(c, out.data(), out.size(), raw.data(), raw.size());
  return ZSTD_isError(n) ? 0 : n;
}

bool zstd_decompress(std::span<uint8_t> out, std::span<const uint8_t> frame, const Dictionary* dictionary) {
  ZSTD_DCtx* d = decompression();
  size_t n = dictionary == nullptr
                 ? ZSTD_decompressDCtx(d, out.data(), out.size(), frame.data(), frame.size())
                 : ZSTD_decompress_usingDDict(d, out.data(), out.size(), frame.data(), frame.size(),
                                              static_cast<const ZSTD_DDict*>(dictionary->decompressor()));
  return !ZSTD_isError(n) && n == out.size();
}

}  // namespace storage
