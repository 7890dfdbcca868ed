#include "wire/mail/charset.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/unistr.h>
#include <unicode/uversion.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "wire/base/flags.h"

namespace wire::mail {
namespace {

struct CloseConverter {
  void operator()(UConverter* c) const { ucnv_close(c); }
};
using Converter = std::unique_ptr<UConverter, CloseConverter>;

// Mail names few charsets: a handful of converters a thread spares the costly open. Null for unknown names, kept too.
UConverter* converter(std::string_view name) {
  struct Entry {
    std::string name;
    Converter converter;
  };
  constexpr size_t max_entries = 16;
  constexpr size_t max_name = 60;  // ICU's own limit; a stranger's longer name is unknown
  if (name.empty() || name.size() > max_name) return nullptr;
  thread_local std::vector<Entry> cache;
  for (Entry& entry : cache) {
    if (base::iequals(entry.name, name)) {
      if (entry.converter) ucnv_reset(entry.converter.get());
      return entry.converter.get();
    }
  }
  UErrorCode status = U_ZERO_ERROR;
  std::string zero_ended(name);
  Converter opened(ucnv_open(zero_ended.c_str(), &status));
  if (U_FAILURE(status)) opened.reset();
  if (cache.size() >= max_entries) cache.erase(cache.begin());
  cache.push_back({std::move(zero_ended), std::move(opened)});
  return cache.back().converter.get();
}

bool is_ascii(std::string_view text) {
  // Eight at a time: this looks at every octet that SEARCH reads.
  size_t i = 0;
  for (uint64_t word = 0; i + sizeof word <= text.size(); i += sizeof word) {
    std::memcpy(&word, text.data() + i, sizeof word);
    if (word & 0x8080808080808080u) return false;
  }
  for (; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) >= 0x80) return false;
  }
  return true;
}

// Charsets in which ASCII bytes may mean something else.
bool is_stateful(std::string_view charset) {
  auto starts = [&](std::string_view prefix) { return base::iequals(charset.substr(0, prefix.size()), prefix); };
  return starts("iso-2022") || starts("utf-7") || starts("utf-16") || starts("utf-32") || starts("hz") ||
         starts("unicode-1") || starts("ucs") || starts("iso-10646") || starts("ibm") || starts("cp037") ||
         starts("ebcdic") || starts("imap") || starts("scsu") || starts("bocu");
}

// ASCII to upper case, its white space to a space; other bytes are themselves. No locale.
constexpr std::array<char, 256> folded_bytes = [] {
  std::array<char, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<char>(i);
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = static_cast<char>(c - 'a' + 'A');
  for (char c = '\t'; c <= '\r'; ++c) table[static_cast<size_t>(c)] = ' ';
  return table;
}();

// Folds ASCII and merges runs of white space; UTF-8 sequences pass.
std::string fold_ascii(std::string_view text) {
  std::string out(text.size(), '\0');
  char* to = out.data();
  char before = 0;
  for (char c : text) {
    c = folded_bytes[static_cast<unsigned char>(c)];
    *to = c;
    // Without a branch: a second space is overwritten by what follows.
    to += !(c == ' ' && before == ' ');
    before = c;
  }
  out.resize(static_cast<size_t>(to - out.data()));
  return out;
}

// Simple titlecase, then NFKD.
void append_folded(std::string_view utf8, std::string& out) {
  constexpr size_t max_octets = INT32_MAX / 4;  // ICU counts in int32_t
  auto source = icu::UnicodeString::fromUTF8(
      icu::StringPiece(utf8.data(), static_cast<int32_t>(std::min(utf8.size(), max_octets))));
  icu::UnicodeString titled;
  for (int32_t i = 0; i < source.length(); i = source.moveIndex32(i, 1)) titled.append(u_totitle(source.char32At(i)));
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfkd = icu::Normalizer2::getNFKDInstance(status);
  if (U_SUCCESS(status)) {
    icu::UnicodeString decomposed = nfkd->normalize(titled, status);
    if (U_SUCCESS(status)) titled = std::move(decomposed);
  }
  titled.toUTF8String(out);
}

}  // namespace

bool known_charset(std::string_view name) { return converter(name) != nullptr; }

bool valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i]);
    size_t more = lead < 0x80 ? 0 : lead >= 0xC2 && lead < 0xE0 ? 1 : lead >= 0xE0 && lead < 0xF0 ? 2 : 3;
    if (lead >= 0x80 && (lead < 0xC2 || lead > 0xF4)) return false;
    if (i + more >= text.size() + (more == 0 ? 1 : 0)) return false;
    for (size_t k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    }
    if (more >= 2) {
      auto second = static_cast<unsigned char>(text[i + 1]);
      if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
          (lead == 0xF4 && second > 0x8F)) {
        return false;
      }
    }
    i += more + 1;
  }
  return true;
}

std::string to_utf8(std::string_view bytes, std::string_view charset) {
  if (is_ascii(bytes) && !is_stateful(charset)) return std::string(bytes);
  bool unlabelled = charset.empty() || base::iequals(charset, "us-ascii") || base::iequals(charset, "utf-8") ||
                    base::iequals(charset, "utf8");
  UConverter* from = nullptr;
  if (!unlabelled) {
    // By HTML's and mail's practice Latin-1 labels mean windows-1252, which has letters where Latin-1 has controls.
    from = converter(base::iequals(charset, "iso-8859-1") ? "windows-1252" : charset);
  }
  if (!from) {
    if (valid_utf8(bytes)) return std::string(bytes);
    from = converter(base::iequals(charset, "utf-8") || base::iequals(charset, "utf8") ? "utf-8" : "windows-1252");
    if (!from) return std::string();
  }
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeString text(bytes.data(), static_cast<int32_t>(std::min<size_t>(bytes.size(), INT32_MAX / 4)), from,
                          status);
  std::string out;
  if (U_SUCCESS(status)) text.toUTF8String(out);
  return out;
}

std::string fold(std::string_view utf8) {
  if (is_ascii(utf8)) return fold_ascii(utf8);
  std::string out;
  out.reserve(utf8.size());
  while (!utf8.empty()) {
    auto beyond_ascii = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
    auto run = std::find_if(utf8.begin(), utf8.end(), beyond_ascii);
    auto end = std::find_if_not(run, utf8.end(), beyond_ascii);
    out.append(utf8.begin(), run);
    // ASCII decomposes to itself and is never reordered, so runs can be taken one by one.
    if (run != end) append_folded(std::string_view(run, end), out);
    utf8.remove_prefix(static_cast<size_t>(end - utf8.begin()));
  }
  return fold_ascii(out);
}

uint32_t text_version() { return U_ICU_VERSION_MAJOR_NUM; }

// Looks for the needle's rarest byte with memchr, which the C library does 32 bytes at a time.
bool contains(std::string_view haystack_folded, std::string_view needle_folded) {
  constexpr std::string_view common = " ETAOINSRHLDCUMFPGWYB";  // of folded text, the most frequent first
  if (needle_folded.empty()) return true;
  if (needle_folded.size() > haystack_folded.size()) return false;
  size_t rarest = 0, rank = 0;
  for (size_t i = 0; i < needle_folded.size(); ++i) {
    const size_t r = std::min(common.find(needle_folded[i]), common.size()) + 1;
    if (r > rank) {
      rank = r;
      rarest = i;
    }
  }
  const char* at = haystack_folded.data() + rarest;
  const char* const end = haystack_folded.data() + haystack_folded.size() - (needle_folded.size() - 1 - rarest);
  while (at < end) {
    at = static_cast<const char*>(std::memchr(at, needle_folded[rarest], static_cast<size_t>(end - at)));
    if (at == nullptr) return false;
    if (std::memcmp(at - rarest, needle_folded.data(), needle_folded.size()) == 0) return true;
    ++at;
  }
  return false;
}

}  // namespace wire::mail
