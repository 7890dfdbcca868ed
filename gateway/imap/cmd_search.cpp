// RFC 3501 6.4.4, ESEARCH (RFC 4731), MODSEQ (RFC 7162 3.1.5, 3.1.10). Three passes: what the snapshot decides; then
// derived data, for those that are left, with the text that it leaves to the messages; then the bytes of what has none.
// On the searches' own pool and in slices, so that a client that goes away, or is sent away, stops it, and no sync
// waits behind it.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>

#include "gateway/imap/body_batch.h"
#include "gateway/imap/commands.h"
#include "gateway/imap/search.h"
#include "wire/imap/search_data.h"
#include "wire/net/pool.h"

namespace gateway::imap {
namespace {

// Shared with the pool, which runs to its end even when the session is cancelled.
struct SearchJob {
  explicit SearchJob(SearchProgram p) : program(std::move(p)) {}
  SearchProgram program;
  MailboxSnapshotPtr shown, newest;
  UidSet recent;
  std::vector<uint32_t> found;    // indexes in shown
  std::vector<uint32_t> unknown;  // those that the content decides
  std::atomic<bool> cancelled{false};
  uint32_t position = 0;  // of the pass under way
  bool asked = false;     // whether anybody is still there
  std::optional<storage::DerivedReader> derived;
  const source::MailAccount* account = nullptr;  // the session's, which waits for the pool
  bool fillable = false;                         // some message has its bytes in the copy and no entry
  std::vector<uint32_t> missed;                  // those without derived data

  SearchMessage message(uint32_t shown_index) const {
    SearchMessage m{shown.get(), shown_index, wire::base::SeqNo(shown_index + 1), false};
    const Uid uid = shown->uid(shown_index);
    m.recent = recent.contains(uid);
    if (newest != shown) {
      if (auto at = newest->find(uid)) {
        m.in = newest.get();
        m.index = *at;
      }
    }
    return m;
  }
};

// What one slice may take of its thread, and how many messages pass between two looks at the clock.
constexpr std::chrono::milliseconds slice{20};
constexpr uint32_t clock_stride = 64;

bool slice_over(uint32_t at, std::chrono::steady_clock::time_point until) {
  return at % clock_stride == 0 && std::chrono::steady_clock::now() > until;
}

void search_snapshot(SearchJob& job) {
  const auto until = std::chrono::steady_clock::now() + slice;
  for (; job.position < job.shown->size() && !job.cancelled; ++job.position) {
    if (slice_over(job.position, until)) return;
    const Verdict v = job.program.match(job.message(job.position), nullptr);
    if (v == Verdict::yes) job.found.push_back(job.position);
    if (v == Verdict::unknown) job.unknown.push_back(job.position);
  }
}

void search_derived(SearchJob& job) {
  const auto until = std::chrono::steady_clock::now() + slice;
  DerivedContent content(*job.derived, [&job](const storage::Sha256& name) { return job.account->open_body(name); });
  for (bool first = true; job.position < job.unknown.size() && !job.cancelled; ++job.position, first = false) {
    if (!first && slice_over(job.position, until)) return;
    const uint32_t index = job.unknown[job.position];
    const SearchMessage m = job.message(index);
    const auto name = m.in->body(m.index);
    const auto marks = name ? job.derived->seek(*name) : std::nullopt;
    job.fillable = job.fillable || (name && !marks);
    Verdict v = Verdict::unknown;
    if (marks && content.stand(*name, *marks, job.program.marks())) {
      v = job.program.match(m, &content, &job.cancelled);
    }
    if (v == Verdict::yes) job.found.push_back(index);
    if (v == Verdict::unknown) job.missed.push_back(index);
  }
}

asio::thread_pool& search_pool(Session& s) {
  const Environment& e = s.environment();
  return e.searches ? *e.searches : *e.pool;
}

// The session waits for the pool even when it is cancelled: the work must then end by itself, soon.
template <class Work>
awaitable<void> run_cancellable(Session& s, std::shared_ptr<SearchJob> job, Work work) {
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  asio::cancellation_slot slot = state.slot();
  if (slot.is_connected()) {
    slot.assign([job](asio::cancellation_type) { job->cancelled = true; });
  }
  co_await wire::net::run_on_pool(search_pool(s), std::move(work));
  if (slot.is_connected()) slot.clear();
}

// Between slices. False: nobody waits for the answer any more.
awaitable<bool> still_wanted(Session& s, SearchJob& job) {
  if (s.leaving()) co_return false;
  if (s.stream().peer_state() == wire::net::Stream::PeerState::ended && !std::exchange(job.asked, true)) {
    // It may only have said that nothing more will come (a script's last command). If it is gone altogether, it resets
    // what it gets, and the next look shows that.
    s.out() += "* OK Searching\r\n";
    co_await s.flush();
  }
  co_return s.stream().is_open() && s.stream().peer_state() != wire::net::Stream::PeerState::gone;
}

awaitable<bool> search_all_derived(Session& s, std::shared_ptr<SearchJob> job) {
  const auto data = co_await s.account().derived();
  if (!data) co_return true;
  job->derived.emplace(data->reader());
  job->account = &s.account();
  job->position = 0;
  while (job->position < job->unknown.size()) {
    auto work = [job] { search_derived(*job); };
    co_await run_cancellable(s, job, std::move(work));
    const bool wanted = co_await still_wanted(s, *job);
    if (!wanted) co_return false;
  }
  job->derived.reset();
  job->unknown = std::move(job->missed);
  if (job->fillable) s.account().want_derived(s.selected()->box);
  co_return true;
}

awaitable<bool> search_content(Session& s, std::shared_ptr<SearchJob> job) {
  BodyNeeds needs;
  needs.header = !job->program.needs_body();
  needs.scan = job->program.needs_body();
  BodyLoader loader(s, job->unknown, needs);
  while (!loader.done()) {
    auto batch = co_await loader.next();
    auto work = [job, batch] {
      for (const LoadedBody& body : batch->bodies) {
        if (body.failed) continue;
        if (job->cancelled) return;
        ScannedContent content(body.scan);
        const Verdict v = job->program.match(job->message(body.shown_index), &content, &job->cancelled);
        if (v == Verdict::yes) job->found.push_back(body.shown_index);
      }
    };
    co_await run_cancellable(s, job, std::move(work));
    for (const LoadedBody& body : batch->bodies) {
      if (!body.failed || body.expunged) continue;
      // One message's problem stays its own: the rest of the answer is right.
      s.out() += "* NO [UNAVAILABLE] Message with uid " + std::to_string(body.uid.value) + " could not be searched\r\n";
    }
    co_await s.flush_if_full();
    const bool wanted = co_await still_wanted(s, *job);
    if (!wanted) co_return false;
  }
  co_return true;
}

awaitable<bool> search(Session& s, std::shared_ptr<SearchJob> job) {
  while (job->position < job->shown->size()) {
    auto pass = [job] { search_snapshot(*job); };
    co_await run_cancellable(s, job, std::move(pass));
    const bool wanted = co_await still_wanted(s, *job);
    if (!wanted) co_return false;
  }
  if (!job->unknown.empty()) {
    const bool wanted = co_await search_all_derived(s, job);
    if (!wanted) co_return false;
  }
  if (!job->unknown.empty()) {
    const bool wanted = co_await search_content(s, job);
    if (!wanted) co_return false;
  }
  std::sort(job->found.begin(), job->found.end());
  co_return true;
}

std::optional<storage::ModSeq> highest(const SearchJob& job, const std::vector<uint32_t>& of) {
  std::optional<storage::ModSeq> out;
  for (uint32_t i : of) {
    const SearchMessage m = job.message(i);
    const storage::ModSeq modseq = m.in->modseq(m.index);
    if (!out || *out < modseq) out = modseq;
  }
  return out;
}

uint32_t number_of(const SearchJob& job, uint32_t index, bool uid) {
  return uid ? job.shown->uid(index).value : index + 1;
}

void write_plain(Session& s, const SearchJob& job, bool uid, bool with_modseq) {
  std::string& out = s.out();
  out += "* SEARCH";
  for (uint32_t i : job.found) {
    out += ' ';
    append_number(out, number_of(job, i, uid));
  }
  if (with_modseq && !job.found.empty()) {
    out += " (MODSEQ ";
    append_number(out, highest(job, job.found)->value);
    out += ')';
  }
  out += "\r\n";
}

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
    if (args.uses_modseq()) data.modseq = highest(job, all || args.return_count ? job.found : named);
  }
  if (args.return_count) data.count = static_cast<uint32_t>(job.found.size());
  wire::imap::Writer w(s.out());
  write_line(w, data);
}

}  // namespace

awaitable<Reply> cmd_search(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<SearchArgs>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  if (!args->charset.empty() && args->charset != "UTF-8" && args->charset != "US-ASCII") {
    RespCode code(Code::bad_charset);
    code.charsets = {"US-ASCII", "UTF-8"};
    co_return Reply::no(std::move(code), "Unknown charset");
  }
  const bool with_modseq = args->uses_modseq();
  if (with_modseq) s.enable_condstore();
  const View& view = s.selected()->view;
  auto program = SearchProgram::prepare(*args, *view.shown(), *s.newest(), std::time(nullptr));
  if (!program) co_return reply_to(program.error(), s.asker());

  auto job = std::make_shared<SearchJob>(std::move(*program));
  job->shown = view.shown();
  job->newest = s.newest();
  job->recent = view.recent_uids();
  const bool done = co_await search(s, job);
  if (!done) co_return Reply::no(Code::unavailable, "The search was given up");
  s.counted(job->found.size());
  if (args->esearch) {
    write_extended(s, *job, *args, line.tag);
  } else {
    write_plain(s, *job, args->uid, with_modseq);
  }
  co_return Reply::ok("Searched");
}

}  // namespace gateway::imap
