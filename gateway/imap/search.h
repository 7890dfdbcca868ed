// SEARCH decided over one message at a time (RFC 3501 6.4.4, RFC 5032 WITHIN, RFC 7162 MODSEQ). Pure: knows neither
// sessions nor stores. Immutable once prepared; any thread, which is how the pool runs it over a snapshot.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "gateway/imap/search_content.h"
#include "storage/mailbox.h"
#include "wire/imap/cmd/search.h"

namespace gateway::imap {

using SearchArgs = wire::imap::cmd::Search;

inline constexpr size_t max_content_keys = 100;  // of one search; each costs a walk over every message's text

enum class Verdict : uint8_t { no, yes, unknown };  // unknown: the content must be looked at

struct SearchMessage {
  const storage::MailboxSnapshot* in;  // flags and numbers as they are now
  uint32_t index;
  wire::base::SeqNo seq;  // the client's
  bool recent;
};

class SearchProgram {
 public:
  // `shown` gives "*" its meaning; `newest` the keywords. Errc::unsupported: a charset, or a key of an extension that
  // is not advertised. Errc::limit: more than max_content_keys. `now`: seconds since 1970, for OLDER and YOUNGER.
  static storage::Result<SearchProgram> prepare(SearchArgs args, const storage::MailboxSnapshot& shown,
                                                const storage::MailboxSnapshot& newest, int64_t now);

  bool needs_content() const { return needs_content_; }
  bool needs_body() const { return needs_body_; }  // else the header is enough
  uint8_t marks() const { return marks_; }         // that a derived entry must have (gateway/derived/content.h)

  // `content`: null while it is not known. `cancelled` may be set by another thread: then, soon, unknown.
  // Unknown also when the content was lost.
  Verdict match(const SearchMessage& message, SearchContent* content,
                const std::atomic<bool>* cancelled = nullptr) const;

 private:
  // What a key needs beside its own words, worked out once.
  struct Prepared {
    wire::base::SeqSet seqs;
    storage::UidSet uids;
    std::string needle;            // folded
    size_t text_key = 0;           // of BODY and TEXT: which of text_keys_
    std::optional<uint64_t> bits;  // of a keyword; 0: no message has it
  };
  // One message's content, and what its text has of the BODY and TEXT needles once one of them was asked for.
  struct Content {
    SearchContent& of;
    const std::atomic<bool>* cancelled;
    std::vector<bool> found;  // a key of text_keys_ each; empty: not looked yet
    bool stop() const { return cancelled && cancelled->load(std::memory_order_relaxed); }
  };

  Verdict eval(size_t at, const SearchMessage& m, Content* content) const;
  Verdict eval_group(size_t at, const SearchMessage& m, Content* content) const;
  Verdict leaf(size_t at, const SearchMessage& m, Content* content) const;
  bool has_keyword(size_t at, const SearchMessage& m) const;
  Verdict in_content(size_t at, Content* content) const;
  void look_at_text(Content& content) const;

  SearchArgs args_;
  std::vector<Prepared> prepared_;
  std::vector<size_t> text_keys_;  // BODY and TEXT
  bool has_text_key_ = false;      // TEXT: the message's own header counts
  int64_t now_ = 0;
  bool needs_content_ = false, needs_body_ = false;
  uint8_t marks_ = 0;
};

}  // namespace gateway::imap
