#include "gateway/imap/search_run.h"

#include <algorithm>
#include <ctime>

#include "gateway/imap/body_pass.h"

namespace gateway::imap {
namespace {

// How many messages pass between two looks at the clock where none is read.
constexpr uint32_t clock_stride = 64;

// What the passes leave to each other. Shared with the pool, too.
struct Passes {
  explicit Passes(std::shared_ptr<SearchJob> j) : job(std::move(j)) {}
  const std::shared_ptr<SearchJob> job;
  std::shared_ptr<std::atomic<bool>> cancelled;
  std::vector<uint32_t> unknown;  // those that the content decides
  uint32_t position = 0;          // of the pass under way

  const source::MailAccount* account = nullptr;  // the session's, which waits for the pool
  std::optional<storage::DerivedReader> derived;
  bool fillable = false;         // some message has its bytes in the copy and no entry
  std::vector<uint32_t> missed;  // those without derived data

  bool snapshot(Slices::Clock::time_point until) {
    for (; position < job->shown->size() && !*cancelled; ++position) {
      if (position % clock_stride == 0 && Slices::Clock::now() > until) return false;
      const Verdict v = job->program.match(job->message(position), nullptr);
      if (v == Verdict::yes) job->found.push_back(position);
      if (v == Verdict::unknown) unknown.push_back(position);
    }
    return true;
  }

  bool from_derived(Slices::Clock::time_point until) {
    DerivedContent content(*derived, [this](const storage::Sha256& name) { return account->open_body(name); });
    for (bool first = true; position < unknown.size() && !*cancelled; ++position, first = false) {
      if (!first && Slices::Clock::now() > until) return false;
      const uint32_t index = unknown[position];
      const SearchMessage m = job->message(index);
      const auto name = m.in->body(m.index);
      const auto marks = name ? derived->seek(*name) : std::nullopt;
      fillable = fillable || (name && !marks);
      Verdict v = Verdict::unknown;
      if (marks && content.stand(*name, *marks, job->program.marks())) {
        v = job->program.match(m, &content, cancelled.get());
      }
      if (v == Verdict::yes) job->found.push_back(index);
      if (v == Verdict::unknown) missed.push_back(index);
    }
    return true;
  }

  void from_bytes(const LoadedBody& body) {
    ScannedContent content(body.scan);
    const Verdict v = job->program.match(job->message(body.shown_index), &content, cancelled.get());
    if (v == Verdict::yes) job->found.push_back(body.shown_index);
  }
};

awaitable<bool> search_derived(Session& s, Slices& slices, std::shared_ptr<Passes> passes) {
  const auto data = co_await s.account().derived();
  if (!data) co_return true;
  passes->derived.emplace(data->reader());
  passes->account = &s.account();
  passes->position = 0;
  Slices::Work work = [passes](Slices::Clock::time_point until) { return passes->from_derived(until); };
  const bool wanted = co_await slices.run(std::move(work));
  if (!wanted) co_return false;
  passes->derived.reset();
  passes->unknown = std::move(passes->missed);
  if (passes->fillable) s.account().want_derived(s.selected()->box);
  co_return true;
}

awaitable<bool> search_bytes(Session& s, Slices& slices, std::shared_ptr<Passes> passes) {
  BodyNeeds needs;
  needs.header = !passes->job->program.needs_body();
  needs.scan = passes->job->program.needs_body();
  LookAtBody look = [passes](const LoadedBody& body) { passes->from_bytes(body); };
  std::string trouble = "could not be searched";
  co_return co_await pass_over_bodies(s, slices, passes->unknown, std::move(needs), std::move(look),
                                      std::move(trouble));
}

}  // namespace

SearchMessage SearchJob::message(uint32_t shown_index) const {
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

std::optional<Reply> refused_charset(const SearchArgs& args) {
  if (args.charset.empty() || args.charset == "UTF-8" || args.charset == "US-ASCII") return std::nullopt;
  RespCode code(Code::bad_charset);
  code.charsets = {"US-ASCII", "UTF-8"};
  return Reply::no(std::move(code), "Unknown charset");
}

Result<std::shared_ptr<SearchJob>> prepare_search(Session& s, SearchArgs args) {
  if (args.uses_modseq()) s.enable_condstore();
  const View& view = s.selected()->view;
  auto program = SearchProgram::prepare(std::move(args), *view.shown(), *s.newest(), std::time(nullptr));
  if (!program) return program.error();
  auto job = std::make_shared<SearchJob>(std::move(*program));
  job->shown = view.shown();
  job->newest = s.newest();
  job->recent = view.recent_uids();
  return job;
}

awaitable<bool> run_search(Session& s, Slices& slices, std::shared_ptr<SearchJob> job) {
  auto passes = std::make_shared<Passes>(job);
  passes->cancelled = slices.cancelled();
  Slices::Work work = [passes](Slices::Clock::time_point until) { return passes->snapshot(until); };
  bool wanted = co_await slices.run(std::move(work));
  if (wanted && !passes->unknown.empty()) wanted = co_await search_derived(s, slices, passes);
  if (wanted && !passes->unknown.empty()) wanted = co_await search_bytes(s, slices, passes);
  if (!wanted) co_return false;
  std::sort(job->found.begin(), job->found.end());
  s.counted(job->found.size());
  co_return true;
}

std::optional<storage::ModSeq> highest_modseq(const SearchJob& job, const std::vector<uint32_t>& of) {
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

void write_found(Session& s, const SearchJob& job, std::string_view word, const std::vector<uint32_t>& found, bool uid,
                 bool with_modseq) {
  std::string& out = s.out();
  out += "* ";
  out += word;
  for (uint32_t i : found) {
    out += ' ';
    append_number(out, number_of(job, i, uid));
  }
  if (with_modseq && !found.empty()) {
    out += " (MODSEQ ";
    append_number(out, highest_modseq(job, found)->value);
    out += ')';
  }
  out += "\r\n";
}

}  // namespace gateway::imap
