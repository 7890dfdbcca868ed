// SORT and THREAD with their UID forms (RFC 5256). Errors: Errc::malformed, Errc::limit, Errc::unsupported (a threading
// algorithm that is not known). Values only; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "wire/imap/cmd/search.h"

namespace wire::imap::cmd {

inline constexpr size_t max_sort_criteria = 20;

struct SortCriterion {
  enum class By : uint8_t { arrival, cc, date, from, size, subject, to };
  By by = By::arrival;
  bool reverse = false;
  bool operator==(const SortCriterion&) const = default;
};

struct Sort {
  bool uid = false;
  std::vector<SortCriterion> by;  // the first decides; at least one
  Search search;                  // its charset and keys
  bool operator==(const Sort&) const = default;
};
bool parse(Cursor& c, Sort& out);
void write(Writer& w, const Sort& c);

struct Thread {
  enum class Algorithm : uint8_t { ordered_subject, references };
  bool uid = false;
  Algorithm algorithm = Algorithm::references;
  Search search;  // its charset and keys
  bool operator==(const Thread&) const = default;
};
bool parse(Cursor& c, Thread& out);
void write(Writer& w, const Thread& c);

}  // namespace wire::imap::cmd
