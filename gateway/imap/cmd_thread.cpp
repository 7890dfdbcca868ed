// RFC 5256 THREAD.
#include "gateway/imap/commands.h"
#include "gateway/imap/key_run.h"
#include "gateway/imap/threading.h"
#include "wire/imap/cmd/sort.h"

namespace gateway::imap {
namespace {

using ThreadArgs = wire::imap::cmd::Thread;

// Shared with the pool.
struct ThreadJob {
  std::shared_ptr<const SearchJob> found;
  std::vector<ThreadMessage> messages;
  Names names;
  std::string text;

  void take(size_t at, const derived::SortKeys& keys, bool with_references) {
    ThreadMessage& m = messages[at];
    if (keys.instant) m.sent = *keys.instant;
    m.subject = names.of(keys.subject);
    m.reply = keys.reply;
    if (!with_references) return;
    m.id = names.of(keys.message_id);
    for (const std::string& id : keys.references) m.references.push_back(names.of(id));
  }
};

}  // namespace

awaitable<Reply> cmd_thread(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<ThreadArgs>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  if (auto refused = refused_charset(args->search)) co_return std::move(*refused);
  auto search = prepare_search(s, args->search);
  if (!search) co_return reply_to(search.error(), s.asker());
  Slices slices(s);
  bool wanted = co_await run_search(s, slices, *search);
  auto job = std::make_shared<ThreadJob>();
  job->found = *search;
  const bool by_references = args->algorithm == ThreadArgs::Algorithm::references;
  Slices::Work prepare = [job, uid = args->uid](Slices::Clock::time_point) {
    for (const uint32_t index : job->found->found) {
      ThreadMessage& m = job->messages.emplace_back();
      m.number = number_of(*job->found, index, uid);
      m.sent = job->found->shown->message(index).date.seconds;  // where there is no Date (RFC 5256 2.2)
    }
    return true;
  };
  if (wanted) wanted = co_await slices.run(std::move(prepare));
  TakeKeys take = [job, by_references](size_t at, derived::SortKeys keys) { job->take(at, keys, by_references); };
  const derived::WantedKeys keys{true, false, false, false, true, by_references};
  if (wanted) wanted = co_await read_keys(s, slices, *search, keys, std::move(take));
  Slices::Work thread = [job, by_references, cancelled = slices.cancelled()](Slices::Clock::time_point) {
    job->text = by_references ? thread_by_references(job->messages, job->names, *cancelled)
                              : thread_by_subject(job->messages, job->names);
    return true;
  };
  if (wanted) wanted = co_await slices.run(std::move(thread));
  if (!wanted) co_return Reply::no(Code::unavailable, "The threading was given up");
  s.out() += "* THREAD";
  if (!job->text.empty()) s.out() += ' ';
  s.out() += job->text;
  s.out() += "\r\n";
  co_return Reply::ok("Threaded");
}

}  // namespace gateway::imap
