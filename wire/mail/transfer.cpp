#include "wire/mail/transfer.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "wire/base/flags.h"
#include "wire/mail/mime_fields.h"

namespace wire::mail {
namespace {

constexpr uint8_t skip = 0x80;

constexpr std::array<uint8_t, 256> base64_values = [] {
  std::array<uint8_t, 256> table{};
  table.fill(skip);
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < alphabet.size(); ++i) table[static_cast<uint8_t>(alphabet[i])] = static_cast<uint8_t>(i);
  return table;
}();

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// One line of quoted-printable, without its line break. True if a soft break ends it.
bool decode_line(std::string_view line, bool header, std::string& out) {
  if (!header) {
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    if (line.ends_with('=')) {
      decode_line(line.substr(0, line.size() - 1), true, out);
      return true;
    }
  }
  while (!line.empty()) {
    size_t escape = std::min(line.find('='), line.size());
    out += line.substr(0, escape);
    line.remove_prefix(escape);
    if (line.size() >= 3 && hex_value(line[1]) >= 0 && hex_value(line[2]) >= 0) {
      out += static_cast<char>(hex_value(line[1]) * 16 + hex_value(line[2]));
      line.remove_prefix(3);
    } else if (!line.empty()) {
      out += '=';
      line.remove_prefix(1);
    }
  }
  return false;
}

}  // namespace

TransferEncoding transfer_encoding(std::string_view field_value) {
  std::string token = parse_token(field_value);
  auto is = [&](std::string_view name) { return base::iequals(token, name); };
  if (token.empty() || is("7bit") || is("8bit") || is("binary")) return TransferEncoding::identity;
  if (is("base64")) return TransferEncoding::base64;
  if (is("quoted-printable")) return TransferEncoding::quoted_printable;
  return TransferEncoding::unknown;
}

std::string decode_base64(std::string_view text, size_t max_output) {
  std::string out;
  out.reserve(std::min(text.size() / 4 * 3 + 3, max_output));
  uint32_t bits = 0;
  int have = 0;
  for (char c : text) {
    if (out.size() >= max_output) break;
    if (c == '=') {
      // Padding ends one encoded run; some senders concatenate several.
      bits = 0;
      have = 0;
      continue;
    }
    uint8_t value = base64_values[static_cast<uint8_t>(c)];
    if (value == skip) continue;
    bits = bits << 6 | value;
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>(bits >> have & 0xFF);
    }
  }
  return out;
}

std::string decode_quoted_printable(std::string_view text, size_t max_output, bool header) {
  std::string out;
  out.reserve(std::min(text.size(), max_output));
  if (header) {
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '_', ' ');
    decode_line(spaced, true, out);
    if (out.size() > max_output) out.resize(max_output);
    return out;
  }
  while (!text.empty() && out.size() < max_output) {
    size_t lf = text.find('\n');
    std::string_view line = text.substr(0, lf);
    text.remove_prefix(lf == std::string_view::npos ? text.size() : lf + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    bool soft = decode_line(line, false, out);
    if (!soft && lf != std::string_view::npos) out += "\r\n";
  }
  if (out.size() > max_output) out.resize(max_output);
  return out;
}

std::string decode_transfer(std::string_view body, TransferEncoding encoding, size_t max_output) {
  switch (encoding) {
    case TransferEncoding::base64:
      return decode_base64(body, max_output);
    case TransferEncoding::quoted_printable:
      return decode_quoted_printable(body, max_output);
    default:
      return std::string(body.substr(0, max_output));
  }
}

}  // namespace wire::mail
