#include "gateway/imap/sasl_plain.h"

#include <openssl/crypto.h>

#include <optional>

namespace gateway::imap {
namespace {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

std::optional<std::string> decode_strict(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool pad = i >= text.size() - padding;
    const int value = pad ? 0 : value_of(text[i]);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (i % 4 == 3) {
      out.push_back(static_cast<char>(bits >> 16));
      out.push_back(static_cast<char>(bits >> 8));
      out.push_back(static_cast<char>(bits));
    }
  }
  for (; padding > 0; --padding) out.pop_back();
  return out;
}

}  // namespace

Result<SaslPlain> parse_sasl_plain(std::string_view base64) {
  auto text = decode_strict(base64);
  if (!text) return Failure(Errc::malformed, "The response is not base64");
  SaslPlain out;
  const size_t first = text->find('\0');
  const size_t second = first == std::string::npos ? first : text->find('\0', first + 1);
  const bool whole = second != std::string::npos && text->find('\0', second + 1) == std::string::npos;
  if (whole) {
    out.authzid = text->substr(0, first);
    out.user = text->substr(first + 1, second - first - 1);
    out.password = text->substr(second + 1);
  }
  OPENSSL_cleanse(text->data(), text->size());
  if (!whole || out.user.empty()) return Failure(Errc::malformed, "The response is no PLAIN message");
  return out;
}

}  // namespace gateway::imap
