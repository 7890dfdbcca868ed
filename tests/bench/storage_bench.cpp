// Google Benchmark over the storage library: what an open, a commit, a flag change, a read and an import cost.
//
//   storage_bench [--benchmark_filter=...]     sizes of a test: FAIRLEAD_BENCH_SMALL=1
#include <benchmark/benchmark.h>

#include "tests/bench/store_for_bench.h"

namespace {

using namespace bench;

uint32_t size_of_mailbox() { return std::getenv("FAIRLEAD_BENCH_SMALL") ? 2000 : 100'000; }

void open_account(benchmark::State& state, bool by_snapshot, bool look) {
  Scratch scratch;
  PosixEnv env;
  MailboxKey key;
  {
    auto account = need(Account::open(env, scratch.path() / "a", {.create = true}));
    key = make_mailbox(*account);
    list_messages(*account, key, size_of_mailbox());
    if (by_snapshot) {
      need(account->close());
    } else {
      need(account->sync());
    }
  }
  for (auto _ : state) {
    auto account = need(Account::open(env, scratch.path() / "a", {.read_only = true}));
    if (account->open_report().used_snapshot != by_snapshot) state.SkipWithError("opened another way");
    if (look && account->snapshot(key)->size() != size_of_mailbox()) state.SkipWithError("messages are missing");
  }
}
BENCHMARK_CAPTURE(open_account, by_snapshot, true, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(open_account, by_snapshot_and_select, true, true)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(open_account, by_log, false, true)->Unit(benchmark::kMillisecond);

void append_4k(benchmark::State& state, bool durable) {
  Scratch scratch;
  PosixEnv env;
  auto account = need(Account::open(env, scratch.path() / "a", {.create = true}));
  const MailboxKey key = make_mailbox(*account);
  list_messages(*account, key, size_of_mailbox());
  Letters letters(4096);
  BodyWriter writer = account->new_body();
  for (auto _ : state) {
    state.PauseTiming();
    const std::string& text = letters.next();
    state.ResumeTiming();
    Batch b = account->begin();
    add_letter(b, writer, key, text);
    need(account->commit(std::move(b)));
    benchmark::DoNotOptimize(account->snapshot(key));
    benchmark::DoNotOptimize(account->tree());
    if (durable) need(account->sync());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(append_4k, committed, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(append_4k, durable, true)->Unit(benchmark::kMicrosecond)->UseRealTime();

void flag_all(benchmark::State& state) {
  Scratch scratch;
  PosixEnv env;
  auto account = need(Account::open(env, scratch.path() / "a", {.create = true}));
  const MailboxKey key = make_mailbox(*account);
  list_messages(*account, key, size_of_mailbox());
  const UidSet all = account->snapshot(key)->uids();
  FlagChange change;
  change.flags.system = wire::base::flagged;
  bool on = false;
  for (auto _ : state) {
    on = !on;
    change.mode = on ? wire::base::FlagsMode::add : wire::base::FlagsMode::remove;
    Batch b = account->begin();
    if (need(b.change_flags(key, all, change)).count() != size_of_mailbox()) state.SkipWithError("not all changed");
    need(account->commit(std::move(b)));
    benchmark::DoNotOptimize(account->snapshot(key));
  }
  state.SetItemsProcessed(state.iterations() * size_of_mailbox());
}
BENCHMARK(flag_all)->Unit(benchmark::kMicrosecond);

void read_body(benchmark::State& state) {
  Scratch scratch;
  PosixEnv env;
  auto account = need(Account::open(env, scratch.path() / "a", {.create = true}));
  const MailboxKey key = make_mailbox(*account);
  Letters letters(4096);
  BodyWriter writer = account->new_body();
  constexpr uint32_t count = 500;
  Batch b = account->begin();
  for (uint32_t i = 0; i < count; ++i) add_letter(b, writer, key, letters.next());
  need(account->commit(std::move(b)));
  const MailboxSnapshotPtr snapshot = account->snapshot(key);
  uint32_t i = 0;
  for (auto _ : state) {
    BodyReader reader = need(account->open_body(*snapshot->message(i++ * 7 % count).body));
    benchmark::DoNotOptimize(need(reader.read_all(1 << 20)));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(read_body)->Unit(benchmark::kMicrosecond);

void import(benchmark::State& state) {
  Scratch scratch;
  PosixEnv env;
  auto account = need(Account::open(env, scratch.path() / "a", {.create = true}));
  const MailboxKey key = make_mailbox(*account);
  Letters letters(1200);
  BodyWriter writer = account->new_body();
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) texts.push_back(letters.next());
  uint64_t n = 0;
  for (auto _ : state) {
    Batch b = account->begin();
    for (std::string& text : texts) {
      text.replace(text.size() - 22, 20, std::to_string(10'000'000'000'000'000'000u + n++));
      add_letter(b, writer, key, text);
    }
    need(account->commit(std::move(b)));
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(import)->Unit(benchmark::kMillisecond);

void commit_among_mailboxes(benchmark::State& state) {
  Scratch scratch;
  PosixEnv env;
  auto account = need(Account::open(env, scratch.path() / "a", {.create = true}));
  const MailboxKey key = make_mailbox(*account);
  Batch boxes = account->begin();
  for (int64_t i = 1; i < state.range(0); ++i) {
    MailboxInfo info;
    info.name = "Folder/of some length/" + std::to_string(i);
    need(boxes.create_mailbox(info));
    boxes.subscribe(info.name, true);
  }
  need(account->commit(std::move(boxes)));
  for (auto _ : state) {
    Batch b = account->begin();
    need(b.add_message(key, {}));
    need(account->commit(std::move(b)));
    benchmark::DoNotOptimize(account->tree()->find("Folder/of some length/77"));
  }
}
BENCHMARK(commit_among_mailboxes)->Arg(10)->Arg(5000)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
