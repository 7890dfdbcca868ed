#include "wire/mail/fold.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>
#include <unicode/uversion.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <memory>
#include <vector>

namespace wire::mail {
namespace {

// ASCII to upper case, its white space to a space; other bytes are themselves. No locale.
constexpr std::array<char, 256> folded_bytes = [] {
  std::array<char, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<char>(i);
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = static_cast<char>(c - 'a' + 'A');
  for (char c = '\t'; c <= '\r'; ++c) table[static_cast<size_t>(c)] = ' ';
  return table;
}();

// Eight bytes at a time, each in its lane: bit 7 of a lane says yes.
constexpr uint64_t each(uint8_t byte) { return 0x0101010101010101u * byte; }
// The ASCII bytes from `low` to `high`.
constexpr uint64_t between(uint64_t word, uint8_t low, uint8_t high) {
  const uint64_t seven = word & each(0x7f);
  return ~word & each(0x80) & ((seven + each(0x80 - low)) ^ (seven + each(0x7f - high)));
}
constexpr uint64_t fold_word(uint64_t word) {
  const uint64_t space = (between(word, '\t', '\r') >> 7) * 0xff;
  word -= between(word, 'a', 'z') >> 2;
  return (word & ~space) | (each(' ') & space);
}
static_assert(fold_word(0x0d097b7a61603ffe) == 0x20207b5a41603ffe);
static_assert(std::endian::native == std::endian::little, "the first byte of a word is its lowest lane");

char* fold_bytes(std::string_view text, bool after_space, char* to) {
  char before = after_space ? ' ' : '\0';
  for (char c : text) {
    c = folded_bytes[static_cast<unsigned char>(c)];
    *to = c;
    // Without a branch: a second space is overwritten by what follows.
    to += !(c == ' ' && before == ' ');
    before = c;
  }
  return to;
}

// Folds ASCII and merges runs of white space; UTF-8 sequences pass. `to` may be where `text` is. Returns its end.
char* fold_ascii(std::string_view text, char* to) {
  size_t at = 0;
  uint64_t before = 0;  // 0x80: a space stands before the word
  for (uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
    char bytes[sizeof word];  // a copy: `to` may be here
    std::memcpy(bytes, text.data() + at, sizeof word);
    std::memcpy(&word, bytes, sizeof word);
    const uint64_t folded = fold_word(word), spaces = between(folded, ' ', ' ');
    if (spaces & (spaces << 8 | before)) {
      to = fold_bytes({bytes, sizeof bytes}, before != 0, to);
    } else {
      std::memcpy(to, &folded, sizeof folded);
      to += sizeof folded;
    }
    before = spaces >> 56;
  }
  return fold_bytes(text.substr(at), before != 0, to);
}

// Simple titlecase, then NFKD.
void fold_by_icu(std::string_view utf8, std::string& out) {
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

// What ICU makes of each character alone, kept for 256 neighbours at a time, so that text in any script is folded at
// the speed of a table.
class Characters {
 public:
  struct Form {
    std::string_view text;
    uint8_t lead_class, trail_class;  // canonical combining classes of its ends
  };
  Form of(UChar32 c) {
    std::atomic<const Row*>& at = rows_[static_cast<uint32_t>(c) / row_size];
    const Row* row = at.load(std::memory_order_acquire);
    if (!row) row = make(at, c);
    const uint32_t i = static_cast<uint32_t>(c) % row_size;
    return {std::string_view(row->text).substr(row->begin[i], row->begin[i + 1] - row->begin[i]), row->lead[i],
            row->trail[i]};
  }

 private:
  static constexpr uint32_t row_size = 256, row_count = 0x110000 / row_size;
  struct Row {
    std::array<uint32_t, row_size + 1> begin{};
    std::array<uint8_t, row_size> lead{}, trail{};
    std::string text;
  };

  static const Row* make(std::atomic<const Row*>& to, UChar32 c) {
    auto row = std::make_unique<Row>();
    const UChar32 first = c - static_cast<UChar32>(static_cast<uint32_t>(c) % row_size);
    for (uint32_t i = 0; i < row_size; ++i) {
      add(*row, i, first + static_cast<UChar32>(i));
      row->begin[i + 1] = static_cast<uint32_t>(row->text.size());
    }
    const Row* before = nullptr;
    // Another thread may have been faster; what is there stays for good.
    if (!to.compare_exchange_strong(before, row.get(), std::memory_order_acq_rel)) return before;
    return row.release();
  }

  static void add(Row& row, uint32_t i, UChar32 c) {
    if (U_IS_SURROGATE(c)) return;
    std::string source, folded;
    icu::UnicodeString(c).toUTF8String(source);
    fold_by_icu(source, folded);
    const auto size = static_cast<int32_t>(folded.size());
    int32_t begin = 0, end = size;
    UChar32 first = 0, last = 0;
    U8_NEXT(folded.data(), begin, size, first);
    U8_PREV(folded.data(), 0, end, last);
    row.lead[i] = u_getCombiningClass(first);
    row.trail[i] = u_getCombiningClass(last);
    row.text += folded;
  }

  std::array<std::atomic<const Row*>, row_count> rows_{};
};

Characters& characters() {
  static auto* all = new Characters;  // never destroyed: threads may outlive main
  return *all;
}

// Each run of combining marks by its class, those of one class as they came (Unicode 3.11, D109). By a sort: with
// insertion, as libraries do it, a hostile run of marks costs the square of its length.
void put_marks_in_order(std::string& text, size_t from) {
  struct Mark {
    uint8_t combining_class;
    std::string_view bytes;
  };
  const std::string before = text.substr(from);
  text.resize(from);
  std::vector<Mark> marks;
  const auto flush = [&] {
    std::stable_sort(marks.begin(), marks.end(),
                     [](const Mark& a, const Mark& b) { return a.combining_class < b.combining_class; });
    for (const Mark& m : marks) text += m.bytes;
    marks.clear();
  };
  for (size_t at = 0; at < before.size();) {
    const size_t begin = at;
    UChar32 c = 0;
    U8_NEXT(before.data(), at, before.size(), c);
    const std::string_view bytes = std::string_view(before).substr(begin, at - begin);
    const uint8_t combining_class = u_getCombiningClass(c);
    if (combining_class == 0) flush();
    if (combining_class == 0) {
      text += bytes;
    } else {
      marks.push_back({combining_class, bytes});
    }
  }
  flush();
}

// A run of characters beyond ASCII.
void fold_run(std::string_view run, std::string& out) {
  const size_t begin = out.size();
  Characters& table = characters();
  uint8_t before = 0;
  bool ordered = true;
  for (size_t at = 0; at < run.size();) {
    UChar32 c = 0;
    U8_NEXT(run.data(), at, run.size(), c);
    if (c < 0) c = 0xFFFD;  // bytes that are no character
    const Characters::Form form = table.of(c);
    ordered = ordered && (form.lead_class == 0 || form.lead_class >= before);
    out += form.text;
    before = form.trail_class;
  }
  if (!ordered) put_marks_in_order(out, begin);
}

bool beyond_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }

}  // namespace

bool is_ascii(std::string_view text) {
  // Eight at a time: this looks at every octet that SEARCH reads.
  size_t i = 0;
  for (uint64_t word = 0; i + sizeof word <= text.size(); i += sizeof word) {
    std::memcpy(&word, text.data() + i, sizeof word);
    if (word & 0x8080808080808080u) return false;
  }
  return std::none_of(text.begin() + static_cast<ptrdiff_t>(i), text.end(), beyond_ascii);
}

void fold_to(std::string& out, std::string_view utf8) {
  const size_t begin = out.size();
  std::string_view all = utf8;
  if (!is_ascii(utf8)) {
    while (!utf8.empty()) {
      const auto run = std::find_if(utf8.begin(), utf8.end(), beyond_ascii);
      const auto end = std::find_if_not(run, utf8.end(), beyond_ascii);
      out.append(utf8.begin(), run);
      // ASCII decomposes to itself and is never reordered, so runs can be taken one by one.
      if (run != end) fold_run(std::string_view(run, end), out);
      utf8.remove_prefix(static_cast<size_t>(end - utf8.begin()));
    }
    all = std::string_view(out).substr(begin);
  } else {
    out.resize(begin + utf8.size());
  }
  const char* end = fold_ascii(all, out.data() + begin);
  out.resize(static_cast<size_t>(end - out.data()));
}

std::string fold(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  fold_to(out, utf8);
  return out;
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
