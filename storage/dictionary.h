// Dictionaries for small messages: trained from an account's own, kept in its log (docs/storage-format.md), named by
// number in each body frame that needs one.
//
// Any thread. What has been prepared for zstd is shared and kept in a cache of the process, which is bounded; whoever
// holds a Dictionary keeps it alive. Errors: corrupt (missing, or its frame is damaged), io.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/coding.h"
#include "storage/env.h"
#include "storage/types.h"

namespace storage {

class Dictionary {
 public:
  Dictionary(uint32_t id, std::vector<uint8_t> bytes);
  ~Dictionary();
  Dictionary(const Dictionary&) = delete;
  Dictionary& operator=(const Dictionary&) = delete;
  uint32_t id() const { return id_; }
  std::span<const uint8_t> bytes() const { return bytes_; }
  const void* decompressor() const { return decompressor_; }  // ZSTD_DDict; null: zstd refused it
  const void* compressor(int level) const;                    // ZSTD_CDict

 private:
  const uint32_t id_;
  const std::vector<uint8_t> bytes_;
  void* decompressor_ = nullptr;
  mutable std::mutex mutex_;
  mutable std::map<int, void*> compressors_;  // by level, made when asked for
};

// Where a dictionary's frame is.
struct DictionaryPlace {
  uint32_t id = 0;
  Lsn segment;  // the first LSN in its segment's name; 0: the log has lost it
  uint32_t generation = 0;
  uint64_t offset = 0;
  uint32_t length = 0;  // of the payload
};

// An account's. Loaded from the log when one is needed.
class Dictionaries {
 public:
  using OpenSegment = std::function<Result<std::shared_ptr<File>>(Lsn first, uint32_t generation)>;
  Dictionaries() = default;
  ~Dictionaries();
  Dictionaries(const Dictionaries&) = delete;
  Dictionaries& operator=(const Dictionaries&) = delete;

  void set_files(OpenSegment open);          // before get(); what it refers to must live while bodies are read
  void put(const DictionaryPlace& place);    // also when a segment was rewritten
  void needed(uint32_t id);                  // a body names it: where it is missing, its number is not given again
  std::vector<DictionaryPlace> all() const;  // by id
  uint32_t newest() const;                   // 0: there is none
  uint32_t next_id() const;
  Result<std::shared_ptr<const Dictionary>> get(uint32_t id) const;

 private:
  static Result<std::shared_ptr<const Dictionary>> read_from(const OpenSegment& open, const DictionaryPlace& place);

  mutable std::mutex mutex_;
  OpenSegment open_;
  mutable std::map<uint32_t, DictionaryPlace> places_;
};

// The payload of a dictionary's frame: id, length, the bytes compressed.
void encode_dictionary(Buffer& out, uint32_t id, std::span<const uint8_t> bytes);
Result<std::vector<uint8_t>> decode_dictionary(std::span<const uint8_t> payload, uint32_t& id);

constexpr size_t max_dictionary_size = 64u << 10;  // 112 KiB would gain 0.1 % of the lab's mail
constexpr size_t sample_limit = 4u << 20;          // bytes that training reads: under half a second of CPU
constexpr uint32_t enough_small_bodies = 512;      // from there on a dictionary is worth its place

// Empty: these samples give none that zstd would take. Up to half a second of CPU.
std::vector<uint8_t> train_dictionary(const std::vector<std::string>& samples);

// zstd with the contexts of this thread. `dictionary` may be null. 0: failed.
size_t zstd_compress(std::span<uint8_t> out, std::span<const uint8_t> raw, const Dictionary* dictionary, int level);
bool zstd_decompress(std::span<uint8_t> out, std::span<const uint8_t> frame, const Dictionary* dictionary);

}  // namespace storage
