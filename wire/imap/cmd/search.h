// SEARCH and UID SEARCH (RFC 3501 6.4.4, 4731 RETURN, 7162 MODSEQ, 5032 WITHIN, 8514 SAVEDATE, 8474 EMAILID).
// The keys are one flat array in prefix order, so nothing recurses, neither here nor when the value dies.
// Errors: Errc::malformed, Errc::limit. Values only; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/base/ids.h"
#include "wire/imap/cursor.h"
#include "wire/imap/date.h"
#include "wire/imap/sets.h"
#include "wire/imap/writer.h"

namespace wire::imap::cmd {

inline constexpr int max_search_depth = 50;      // of NOT, OR and parentheses
inline constexpr size_t max_search_keys = 5000;  // in all

struct SearchKey {
  enum class Op : uint8_t {
    all_of,   // children follow, up to `end`
    any_of,   // OR: two children
    none_of,  // NOT: one child
    all,
    answered,
    deleted,
    draft,
    flagged,
    fresh /* NEW */,
    old,
    recent,
    seen,
    unanswered,
    undeleted,
    undraft,
    unflagged,
    unseen,
    bcc,
    body,
    cc,
    from,
    subject,
    text,
    to,      // text
    header,  // field, text (may be empty)
    keyword,
    unkeyword,  // text
    before,
    on,
    since,
    sent_before,
    sent_on,
    sent_since,
    saved_before,
    saved_on,
    saved_since,  // day
    save_date_supported,
    larger,
    smaller,
    older,
    younger,  // number
    seq_set,
    uid_set,  // set
    modseq,   // number; the optional entry name and type are read and dropped
    email_id,
    thread_id,  // text
  };
  Op op = Op::all;
  uint32_t end = 0;  // index after the last node of this subtree
  uint64_t number = 0;
  Day day;
  std::string field;
  std::string text;
  SequenceSet set;
  bool operator==(const SearchKey&) const = default;
};

struct Search {
  bool uid = false;
  // RETURN (...), RFC 4731. `esearch` with none of them means ALL.
  bool esearch = false;
  bool return_min = false, return_max = false, return_all = false, return_count = false;
  std::string charset;          // upper case; empty: not given
  std::vector<SearchKey> keys;  // keys[0] is an all_of over everything

  bool uses_modseq() const;
  bool operator==(const Search&) const = default;
};
bool parse(Cursor& c, Search& out);
void write(Writer& w, const Search& c);

// What SORT and THREAD have of it, too: SP charset SP, made upper case; the keys to the line's end.
bool parse_charset(Cursor& c, std::string& out);
bool parse_search_keys(Cursor& c, std::vector<SearchKey>& out);
void write_search_keys(Writer& w, const std::vector<SearchKey>& keys);

// For clients: builds a Search. Appends a leaf under the top level.
SearchKey& add_key(Search& search, SearchKey::Op op);

}  // namespace wire::imap::cmd
