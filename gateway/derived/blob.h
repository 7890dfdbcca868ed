// How blobs of derived data write numbers and texts (docs/derived-data.md); storage::Reader reads them. Private to
// gateway/derived.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gateway::derived {

inline void put_varint(std::string& out, uint64_t v) {
  for (; v >= 0x80; v >>= 7) out += static_cast<char>(v | 0x80);
  out += static_cast<char>(v);
}

inline void put_zigzag(std::string& out, int64_t v) {
  put_varint(out, static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63));
}

inline void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out += text;
}

}  // namespace gateway::derived
