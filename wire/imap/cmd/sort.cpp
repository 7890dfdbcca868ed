#include "wire/imap/cmd/sort.h"

#include "wire/base/flags.h"

namespace wire::imap::cmd {

using base::Errc;
using base::iequals;
using By = SortCriterion::By;

namespace {

constexpr struct {
  By by;
  std::string_view name;
} criteria[] = {{By::arrival, "ARRIVAL"}, {By::cc, "CC"},           {By::date, "DATE"}, {By::from, "FROM"},
                {By::size, "SIZE"},       {By::subject, "SUBJECT"}, {By::to, "TO"}};

constexpr struct {
  Thread::Algorithm algorithm;
  std::string_view name;
} algorithms[] = {{Thread::Algorithm::ordered_subject, "ORDEREDSUBJECT"},
                  {Thread::Algorithm::references, "REFERENCES"}};

// sort-key = ["REVERSE" SP] criterion
bool criterion(Cursor& c, SortCriterion& out) {
  std::string_view word;
  if (!c.atom(word)) return false;
  if (iequals(word, "REVERSE")) {
    out.reverse = true;
    if (!c.sp() || !c.atom(word)) return false;
  }
  for (const auto& [by, name] : criteria) {
    if (!iequals(name, word)) continue;
    out.by = by;
    return true;
  }
  return c.malformed("unknown sort criterion");
}

void write_search(Writer& w, const Search& s) {
  w.sp().astring(s.charset);
  write_search_keys(w, s.keys);
}

// SP charset 1*(SP search-key)
bool search(Cursor& c, Search& out) { return parse_charset(c, out.charset) && parse_search_keys(c, out.keys); }

}  // namespace

// sort = "SORT" SP "(" sort-key *(SP sort-key) ")" SP charset 1*(SP search-key)
bool parse(Cursor& c, Sort& out) {
  out = Sort{.uid = out.uid, .by = {}, .search = {}};
  out.search.uid = out.uid;
  return c.sp() && c.list(max_sort_criteria, [&] { return criterion(c, out.by.emplace_back()); }) &&
         (!out.by.empty() || c.malformed("a sort criterion expected")) && search(c, out.search);
}

void write(Writer& w, const Sort& c) {
  w.raw(c.uid ? "UID SORT (" : "SORT (");
  if (c.by.empty()) w.fail();
  for (size_t i = 0; i < c.by.size(); ++i) {
    if (i > 0) w.sp();
    if (c.by[i].reverse) w.raw("REVERSE ");
    for (const auto& [by, name] : criteria) {
      if (by == c.by[i].by) w.raw(name);
    }
  }
  w.raw(')');
  write_search(w, c.search);
}

// thread = "THREAD" SP algorithm SP charset 1*(SP search-key)
bool parse(Cursor& c, Thread& out) {
  out = Thread{.uid = out.uid, .algorithm = {}, .search = {}};
  out.search.uid = out.uid;
  std::string_view word;
  if (!c.sp() || !c.atom(word)) return false;
  for (const auto& [algorithm, name] : algorithms) {
    if (!iequals(name, word)) continue;
    out.algorithm = algorithm;
    return search(c, out.search);
  }
  return c.fail(Errc::unsupported, "unknown threading algorithm");
}

void write(Writer& w, const Thread& c) {
  w.raw(c.uid ? "UID THREAD " : "THREAD ");
  for (const auto& [algorithm, name] : algorithms) {
    if (algorithm == c.algorithm) w.raw(name);
  }
  write_search(w, c.search);
}

}  // namespace wire::imap::cmd
