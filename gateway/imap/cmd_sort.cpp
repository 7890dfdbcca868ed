// RFC 5256 SORT; with a MODSEQ key as RFC 7162 says of its reply.
#include <algorithm>
#include <numeric>

#include "gateway/imap/commands.h"
#include "gateway/imap/key_run.h"
#include "wire/imap/cmd/sort.h"

namespace gateway::imap {
namespace {

using SortArgs = wire::imap::cmd::Sort;
using wire::imap::cmd::SortCriterion;
using By = SortCriterion::By;

// What is compared, a column for each criterion and a row for each message that was found. Shared with the pool.
struct SortTable {
  struct Column {
    SortCriterion by;
    std::vector<int64_t> numbers;    // of ARRIVAL, DATE, SIZE
    std::vector<std::string> texts;  // of the others
  };
  std::shared_ptr<const SearchJob> job;
  std::vector<Column> columns;
  std::vector<uint32_t> order;  // rows

  // A criterion that was there already can decide nothing: each is there once.
  void add(const SortCriterion& by) {
    if (!has(by.by)) columns.push_back({by, {}, {}});
  }

  bool has(By by) const {
    return std::any_of(columns.begin(), columns.end(), [by](const Column& c) { return c.by.by == by; });
  }
  derived::WantedKeys wanted() const {
    return {has(By::date), has(By::from), has(By::to), has(By::cc), has(By::subject), false};
  }
  bool needs_keys() const { return columns.size() > size_t{has(By::arrival)} + size_t{has(By::size)}; }

  // What the snapshot knows; of a message without a Date INTERNALDATE counts (RFC 5256 2.2).
  void prepare() {
    const size_t rows = job->found.size();
    for (Column& c : columns) {
      if (c.by.by != By::arrival && c.by.by != By::date && c.by.by != By::size) {
        c.texts.resize(rows);
        continue;
      }
      c.numbers.reserve(rows);
      for (const uint32_t index : job->found) {
        const storage::MessageInfo& info = job->shown->message(index);
        c.numbers.push_back(c.by.by == By::size ? static_cast<int64_t>(info.size) : info.date.seconds);
      }
    }
  }

  void take(size_t row, derived::SortKeys keys) {
    for (Column& c : columns) {
      switch (c.by.by) {
        case By::arrival:
        case By::size:
          break;
        case By::date:
          if (keys.instant) c.numbers[row] = *keys.instant;
          break;
        case By::cc:
          c.texts[row] = std::move(keys.cc);
          break;
        case By::from:
          c.texts[row] = std::move(keys.from);
          break;
        case By::subject:
          c.texts[row] = std::move(keys.subject);
          break;
        case By::to:
          c.texts[row] = std::move(keys.to);
      }
    }
  }

  // Of equals the sequence number decides, also in reverse.
  bool before(uint32_t a, uint32_t b) const {
    for (const Column& c : columns) {
      const auto compared = c.texts.empty() ? c.numbers[a] <=> c.numbers[b] : c.texts[a].compare(c.texts[b]) <=> 0;
      if (compared != 0) return (compared < 0) != c.by.reverse;
    }
    return a < b;
  }

  void sort() {
    order.resize(job->found.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [this](uint32_t a, uint32_t b) { return before(a, b); });
    for (uint32_t& row : order) row = job->found[row];
  }
};

}  // namespace

awaitable<Reply> cmd_sort(Session& s, wire::imap::CommandLine& line) {
  auto args = wire::imap::parse_args<SortArgs>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  if (auto refused = refused_charset(args->search)) co_return std::move(*refused);
  auto job = prepare_search(s, args->search);
  if (!job) co_return reply_to(job.error(), s.asker());
  Slices slices(s);
  bool wanted = co_await run_search(s, slices, *job);
  auto table = std::make_shared<SortTable>();
  table->job = *job;
  for (const SortCriterion& by : args->by) table->add(by);
  Slices::Work prepare = [table](Slices::Clock::time_point) {
    table->prepare();
    return true;
  };
  if (wanted) wanted = co_await slices.run(std::move(prepare));
  TakeKeys take = [table](size_t row, derived::SortKeys keys) { table->take(row, std::move(keys)); };
  if (wanted && table->needs_keys()) wanted = co_await read_keys(s, slices, *job, table->wanted(), std::move(take));
  Slices::Work sort = [table](Slices::Clock::time_point) {
    table->sort();
    return true;
  };
  if (wanted) wanted = co_await slices.run(std::move(sort));
  if (!wanted) co_return Reply::no(Code::unavailable, "The sorting was given up");
  write_found(s, **job, "SORT", table->order, args->uid, args->search.uses_modseq());
  co_return Reply::ok("Sorted");
}

}  // namespace gateway::imap
