// RFC 3501 6.4.4, ESEARCH (RFC 4731), MODSEQ (RFC 7162 3.1.5, 3.1.10).
#include "gateway/imap/commands.h"
#include "gateway/imap/search_run.h"
#include "wire/imap/search_data.h"

namespace gateway::imap {
namespace {

void write_extended(Session& s, const SearchJob& job, const SearchArgs& args, const std::string& tag) {
  wire::imap::EsearchData data;
  data.tag = tag;
  data.uid = args.uid;
  const bool none_named = !args.return_min && !args.return_max && !args.return_all && !args.return_count;
  const bool all = args.return_all || none_named;
  std::vector<uint32_t> named;  // whose MODSEQ counts: with only MIN or MAX just those (RFC 7162 3.1.10)
  if (!job.found.empty()) {
    if (args.return_min) {
      data.min = number_of(job, job.found.front(), args.uid);
      named.push_back(job.found.front());
    }
    if (args.return_max) {
      data.max = number_of(job, job.found.back(), args.uid);
      named.push_back(job.found.back());
    }
    if (all) {
      wire::base::SeqSet set;
      for (uint32_t i : job.found) set.add(wire::base::SeqNo(number_of(job, i, args.uid)));
      data.all = wire::imap::SequenceSet::of(set);
    }
    if (args.uses_modseq()) data.modseq = highest_modseq(job, all || args.return_count ? job.found : named);
  }
  if (args.return_count) data.count = static_cast<uint32_t>(job.found.size());
  wire::imap::Writer w(s.out());
  write_line(w, data);
}

}  // namespace

awaitable<Reply> cmd_search(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<SearchArgs>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  if (auto refused = refused_charset(*args)) co_return std::move(*refused);
  auto job = prepare_search(s, *args);
  if (!job) co_return reply_to(job.error(), s.asker());
  Slices slices(s);
  const bool done = co_await run_search(s, slices, *job);
  if (!done) co_return Reply::no(Code::unavailable, "The search was given up");
  if (args->esearch) {
    write_extended(s, **job, *args, line.tag);
  } else {
    write_found(s, **job, "SEARCH", (*job)->found, args->uid, args->uses_modseq());
  }
  co_return Reply::ok("Searched");
}

}  // namespace gateway::imap
