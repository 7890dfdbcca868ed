// Finds the messages that a SEARCH, SORT or THREAD is about. Three passes: what the snapshot decides; then derived
// data, for those that are left, with the text that it leaves to the messages; then the bytes of what has none. On the
// account's core; the passes run on the searches' pool (slices.h).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gateway/imap/search.h"
#include "gateway/imap/session.h"
#include "gateway/imap/slices.h"

namespace gateway::imap {

// Shared with the pool, which runs to its end even when the session is cancelled.
struct SearchJob {
  explicit SearchJob(SearchProgram p) : program(std::move(p)) {}
  const SearchProgram program;
  MailboxSnapshotPtr shown, newest;
  UidSet recent;
  std::vector<uint32_t> found;  // indexes in shown, ascending

  SearchMessage message(uint32_t shown_index) const;
};

// BADCHARSET where it is one; nothing else is wrong with it.
std::optional<Reply> refused_charset(const SearchArgs& args);
// Of the selected mailbox as it is now. Errors as SearchProgram::prepare().
Result<std::shared_ptr<SearchJob>> prepare_search(Session& s, SearchArgs args);
// False: nobody waits for the answer any more.
awaitable<bool> run_search(Session& s, Slices& slices, std::shared_ptr<SearchJob> job);

// RFC 7162 3.1.5: what a reply to a search with a MODSEQ key says. `of`: some of the found.
std::optional<storage::ModSeq> highest_modseq(const SearchJob& job, const std::vector<uint32_t>& of);
// "* SEARCH 1 2" or "* SORT 2 1", with (MODSEQ n) where `with_modseq` and there are any.
void write_found(Session& s, const SearchJob& job, std::string_view word, const std::vector<uint32_t>& found, bool uid,
                 bool with_modseq);
uint32_t number_of(const SearchJob& job, uint32_t index, bool uid);

}  // namespace gateway::imap
