#include "wire/imap/search_data.h"

#include "wire/base/flags.h"

namespace wire::imap {

namespace {

constexpr size_t max_results = 4'000'000;  // numbers in one SEARCH line
constexpr size_t max_return_data = 50;

bool modseq_list(Cursor& c, std::optional<base::ModSeq>& out) {
  return c.expect('(') && c.expect_word("MODSEQ") && c.sp() && c.number(out.emplace()) && c.expect(')');
}

bool number(Cursor& c, std::optional<uint32_t>& out) { return c.number(out.emplace()); }

}  // namespace

// "SEARCH" *(SP nz-number) [SP "(" "MODSEQ" SP mod-sequence-value ")"]
bool parse(Cursor& c, SearchData& out) {
  out = SearchData();
  if (!c.expect_word("SEARCH")) return false;
  while (c.peek() == ' ') {
    if (!c.sp()) return false;
    if (c.leniency().extra_space && c.at_end()) break;
    if (c.peek() == '(') return modseq_list(c, out.modseq);
    uint32_t n = 0;
    if (!c.nz_number(n)) return false;
    if (out.numbers.size() == max_results) return c.fail(base::Errc::limit, "too many search results");
    out.numbers.push_back(n);
  }
  return c.ok();
}

void write(Writer& w, const SearchData& data) {
  w.raw("SEARCH");
  for (uint32_t n : data.numbers) w.sp().number(n);
  if (data.modseq) w.raw(" (MODSEQ ").number(*data.modseq).raw(')');
}

// esearch-response = "ESEARCH" [SP "(" "TAG" SP string ")"] [SP "UID"] *(SP search-return-data)
bool parse(Cursor& c, EsearchData& out) {
  out = EsearchData();
  if (!c.expect_word("ESEARCH")) return false;
  for (size_t n = 0; c.peek() == ' '; ++n) {
    if (n == max_return_data) return c.fail(base::Errc::limit, "too much search return data");
    if (!c.sp()) return false;
    if (c.leniency().extra_space && c.at_end()) break;
    if (n == 0 && c.accept('(')) {
      if (!(c.expect_word("TAG") && c.sp() && c.astring(out.tag) && c.expect(')'))) return false;
      continue;
    }
    std::string_view word;
    if (!c.atom(word)) return false;
    if (base::iequals(word, "UID")) {
      out.uid = true;
      continue;
    }
    if (!c.sp()) return false;
    bool ok = base::iequals(word, "MIN")      ? number(c, out.min)
              : base::iequals(word, "MAX")    ? number(c, out.max)
              : base::iequals(word, "COUNT")  ? number(c, out.count)
              : base::iequals(word, "ALL")    ? parse(c, out.all.emplace())
              : base::iequals(word, "MODSEQ") ? c.number(out.modseq.emplace())
                                              : c.skip_value();
    if (!ok) return false;
  }
  return c.ok();
}

void write(Writer& w, const EsearchData& data) {
  w.raw("ESEARCH");
  if (!data.tag.empty()) w.raw(" (TAG ").string(data.tag).raw(')');
  if (data.uid) w.raw(" UID");
  if (data.min) w.raw(" MIN ").number(*data.min);
  if (data.max) w.raw(" MAX ").number(*data.max);
  if (data.all) write(w.raw(" ALL "), *data.all);
  if (data.count) w.raw(" COUNT ").number(*data.count);
  if (data.modseq) w.raw(" MODSEQ ").number(*data.modseq);
}

}  // namespace wire::imap
