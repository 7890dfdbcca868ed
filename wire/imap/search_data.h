// SEARCH and ESEARCH replies (RFC 3501 7.2.5, 4731, 4466, 7162). Errors: Errc::malformed, Errc::limit. Values; any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "wire/base/ids.h"
#include "wire/imap/cursor.h"
#include "wire/imap/sets.h"
#include "wire/imap/writer.h"

namespace wire::imap {

struct SearchData {
  std::vector<uint32_t> numbers;  // UIDs or sequence numbers, as asked; order of the peer
  std::optional<base::ModSeq> modseq;
  bool operator==(const SearchData&) const = default;
};

struct EsearchData {
  std::string tag;  // of the command; empty if absent
  bool uid = false;
  std::optional<uint32_t> min, max, count;
  std::optional<SequenceSet> all;
  std::optional<base::ModSeq> modseq;
  bool operator==(const EsearchData&) const = default;
};

// After "* ", from the word SEARCH or ESEARCH on. Unknown return data of ESEARCH is skipped.
bool parse(Cursor& c, SearchData& out);
void write(Writer& w, const SearchData& data);
bool parse(Cursor& c, EsearchData& out);
void write(Writer& w, const EsearchData& data);

}  // namespace wire::imap
