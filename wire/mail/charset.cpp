#include "wire/mail/charset.h"

#include <unicode/ucnv.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "wire/base/flags.h"
#include "wire/mail/fold.h"

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

// Charsets in which ASCII bytes may mean something else.
bool is_stateful(std::string_view charset) {
  auto starts = [&](std::string_view prefix) { return base::iequals(charset.substr(0, prefix.size()), prefix); };
  return starts("iso-2022") || starts("utf-7") || starts("utf-16") || starts("utf-32") || starts("hz") ||
         starts("unicode-1") || starts("ucs") || starts("iso-10646") || starts("ibm") || starts("cp037") ||
         starts("ebcdic") || starts("imap") || starts("scsu") || starts("bocu");
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

bool reads_as_ascii(std::string_view bytes, std::string_view charset) {
  if (!is_ascii(bytes) || is_stateful(charset)) return false;
  // ISO 2022 has many names; its shifts do not stand in plain text.
  const auto has = [&bytes](char shift) { return bytes.find(shift) != std::string_view::npos; };
  return base::iequals(charset, "us-ascii") || !(has('\x1b') || has('\x0e') || has('\x0f'));
}

std::string to_utf8(std::string_view bytes, std::string_view charset) {
  if (reads_as_ascii(bytes, charset)) return std::string(bytes);
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

}  // namespace wire::mail
