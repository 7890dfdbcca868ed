#include "gateway/source/account_directory.h"

#include <openssl/sha.h>

#include <cstdint>

namespace gateway::source {
namespace {

constexpr char hex[] = "0123456789abcdef";
constexpr size_t max_plain = 200;

bool stays(std::string_view user, size_t i) {
  const char c = user[i];
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '@') return true;
  return c == '.' && i != 0 && i + 1 != user.size();
}

// FNV-1a: spreads users over 256 folders; never a promise to anybody.
uint8_t spread(std::string_view user) {
  uint32_t h = 2166136261u;
  for (unsigned char c : user) h = (h ^ c) * 16777619u;
  return static_cast<uint8_t>(h ^ (h >> 8) ^ (h >> 16) ^ (h >> 24));
}

}  // namespace

std::string safe_name(std::string_view user) {
  std::string out;
  for (size_t i = 0; i < user.size(); ++i) {
    const auto byte = static_cast<unsigned char>(user[i]);
    if (stays(user, i)) {
      out.push_back(user[i]);
    } else {
      out += {'=', hex[byte >> 4], hex[byte & 15]};
    }
  }
  if (out.size() <= max_plain) return out;
  // A file name may have 255 bytes; "=~" follows from no byte, so the two forms cannot meet.
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(user.data()), user.size(), digest);
  out.resize(max_plain - 2 - 2 * sizeof(digest));
  if (const size_t cut = out.rfind('='); cut != out.npos && cut + 3 > out.size()) out.resize(cut);
  out += "=~";
  for (uint8_t byte : digest) out += {hex[byte >> 4], hex[byte & 15]};
  return out;
}

std::filesystem::path account_directory(const std::filesystem::path& data_dir, std::string_view user) {
  const uint8_t folder = spread(user);
  return data_dir / "accounts" / std::string{hex[folder >> 4], hex[folder & 15]} / safe_name(user);
}

}  // namespace gateway::source
