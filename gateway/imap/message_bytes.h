// The bytes of one stored message in one piece, for the scanner. Small ones are read into memory; big ones go through
// an unlinked file that is mapped, so that memory stays bounded whatever the size (design 5). Blocking: on the pool,
// but for small ones. Move-only; any one thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "storage/body.h"

namespace gateway::imap {

class MessageBytes {
 public:
  static constexpr uint64_t in_memory = 4 << 20;

  MessageBytes() = default;
  explicit MessageBytes(std::string text) : text_(std::move(text)) {}
  MessageBytes(MessageBytes&& other) noexcept;
  MessageBytes& operator=(MessageBytes&& other) noexcept;
  ~MessageBytes();

  // `spool`: a directory for what does not fit in memory.
  static storage::Result<MessageBytes> load(storage::BodyReader& reader, const std::filesystem::path& spool);
  // The header alone, with the empty line that ends it where it has one. nullopt: it is longer than 1 MiB, so that only
  // the scan of the whole message tells what it is.
  static storage::Result<std::optional<MessageBytes>> load_header(storage::BodyReader& reader);

  std::string_view view() const { return map_ ? std::string_view(map_, size_) : std::string_view(text_); }

 private:
  std::string text_;
  const char* map_ = nullptr;
  size_t size_ = 0;
};

}  // namespace gateway::imap
