#include "wire/imap/mutf7.h"

#include <array>
#include <cstdint>

namespace wire::imap {

using base::Errc;
using base::Failure;
using base::Result;

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

constexpr std::array<int8_t, 256> values = [] {
  std::array<int8_t, 256> v{};
  for (auto& x : v) x = -1;
  for (size_t i = 0; i < alphabet.size(); ++i) v[uint8_t(alphabet[i])] = int8_t(i);
  return v;
}();

bool direct(uint32_t c) { return c >= 0x20 && c <= 0x7e; }

void put_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += char(c);
  } else if (c < 0x800) {
    out += char(0xc0 | (c >> 6));
    out += char(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += char(0xe0 | (c >> 12));
    out += char(0x80 | ((c >> 6) & 0x3f));
    out += char(0x80 | (c & 0x3f));
  } else {
    out += char(0xf0 | (c >> 18));
    out += char(0x80 | ((c >> 12) & 0x3f));
    out += char(0x80 | ((c >> 6) & 0x3f));
    out += char(0x80 | (c & 0x3f));
  }
}

// One code point from the front; false for what is not UTF-8 (overlong, surrogate, beyond U+10FFFF).
bool take_utf8(std::string_view& s, uint32_t& c) {
  uint8_t first = uint8_t(s[0]);
  size_t length = first < 0x80 ? 1 : (first >> 5) == 6 ? 2 : (first >> 4) == 14 ? 3 : (first >> 3) == 30 ? 4 : 0;
  if (length == 0 || s.size() < length) return false;
  constexpr uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  c = first & masks[length];
  for (size_t i = 1; i < length; ++i) {
    if ((uint8_t(s[i]) & 0xc0) != 0x80) return false;
    c = (c << 6) | (uint8_t(s[i]) & 0x3f);
  }
  s.remove_prefix(length);
  return c >= least[length] && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
}

// The base64 run between "&" and "-": UTF-16BE. Strict: no printable ASCII inside, no stray bits, no half surrogate.
bool decode_run(std::string_view run, std::string& out) {
  uint32_t bits = 0, high = 0;
  int count = 0;
  for (char ch : run) {
    int8_t value = values[uint8_t(ch)];
    if (value < 0) return false;
    bits = (bits << 6) | uint32_t(value);
    count += 6;
    if (count < 16) continue;
    count -= 16;
    uint32_t unit = (bits >> count) & 0xffff;
    bits &= (1u << count) - 1;
    if (high != 0) {
      if (unit < 0xdc00 || unit > 0xdfff) return false;
      put_utf8(out, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
      high = 0;
    } else if (unit >= 0xd800 && unit <= 0xdbff) {
      high = unit;
    } else if ((unit >= 0xdc00 && unit <= 0xdfff) || direct(unit)) {
      return false;
    } else {
      put_utf8(out, unit);
    }
  }
  return high == 0 && count < 6 && bits == 0;
}

}  // namespace

Result<std::string> mutf7_to_utf8(std::string_view name) {
  std::string out;
  out.reserve(name.size());
  bool after_run = false;
  for (size_t i = 0; i < name.size(); ++i) {
    char c = name[i];
    if (c != '&') {
      if (!direct(uint8_t(c))) return Failure(Errc::malformed, "mailbox name: octet outside modified UTF-7");
      out += c;
      after_run = false;
      continue;
    }
    size_t end = name.find('-', i + 1);
    if (end == std::string_view::npos) return Failure(Errc::malformed, "mailbox name: shift without its end");
    std::string_view run = name.substr(i + 1, end - i - 1);
    if (run.empty()) {
      out += '&';
      after_run = false;
    } else {
      // Two runs side by side are the same as one, so only one way of writing is accepted.
      if (after_run || !decode_run(run, out)) return Failure(Errc::malformed, "mailbox name: bad modified base64");
      after_run = true;
    }
    i = end;
  }
  return out;
}

Result<std::string> utf8_to_mutf7(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  uint32_t bits = 0;
  int count = 0;
  bool shifted = false;
  auto unit = [&](uint32_t u) {
    bits = (bits << 16) | u;
    count += 16;
    while (count >= 6) {
      count -= 6;
      out += alphabet[(bits >> count) & 0x3f];
    }
    bits &= (1u << count) - 1;
  };
  auto unshift = [&] {
    if (!shifted) return;
    if (count > 0) out += alphabet[(bits << (6 - count)) & 0x3f];
    out += '-';
    bits = 0;
    count = 0;
    shifted = false;
  };
  while (!utf8.empty()) {
    uint32_t c = 0;
    if (!take_utf8(utf8, c)) return Failure(Errc::malformed, "mailbox name: not UTF-8");
    if (direct(c)) {
      unshift();
      out += char(c);
      if (c == '&') out += '-';
      continue;
    }
    if (!shifted) {
      out += '&';
      shifted = true;
    }
    if (c >= 0x10000) {
      unit(0xd800 + ((c - 0x10000) >> 10));
      unit(0xdc00 + ((c - 0x10000) & 0x3ff));
    } else {
      unit(c);
    }
  }
  unshift();
  return out;
}

}  // namespace wire::imap
