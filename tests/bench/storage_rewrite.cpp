// What it costs to give space back: a log of realistic mail, of which two in five messages are expunged, is rewritten
// without rests (rewrite_share = 100), and what opening after a kill costs with the index.snap that follows it and, as
// it was, without. CPU is user + system of this process around the library's calls.
//
//   storage_rewrite [--messages N] [--dir DIR]
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>

#include "storage/checkpoint.h"
#include "storage/space.h"
#include "tests/bench/store_for_bench.h"

namespace {

using namespace storage;
using bench::need;

double seconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

struct Cost {
  double wall = 0, cpu = 0;
};

template <class F>
Cost cost(F&& f) {
  const double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  f();
  return {seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu};
}

constexpr uint64_t a_step = 1u << 20;
constexpr size_t bodies_a_step = 256;

struct Longest {
  double owner = 0, beside = 0;  // of one step
};

template <class F>
auto timed(double& longest, F&& f) {
  const double start = seconds(CLOCK_MONOTONIC);
  auto r = f();
  longest = std::max(longest, seconds(CLOCK_MONOTONIC) - start);
  return need(std::move(r));
}

bool pass(Account& account, uint64_t& read, uint64_t& written, Longest& longest) {
  Space space(account);
  std::unique_ptr<Rewrite> p = timed(longest.owner, [&] { return space.begin(space.usual()); });
  if (!p) return false;
  using Step = Rewrite::Step;
  for (Step s = Step::more; s != Step::done;) {
    s = timed(longest.beside, [&] { return p->survey(a_step); });
    if (s != Step::nothing) continue;
    need(p->cancel());
    return false;
  }
  while (!timed(longest.owner, [&] { return p->condemn(bodies_a_step); })) {
  }
  while (timed(longest.beside, [&] { return p->copy(a_step); }) != Step::done) {
  }
  while (!timed(longest.owner, [&] { return p->adopt(bodies_a_step); })) {
  }
  read += p->result().read;
  written += p->result().written;
  return true;
}

Cost opening(Env& env, const std::filesystem::path& directory, bool with_index) {
  // The page cache is warm: what is measured is reading and applying, not the disk.
  if (!with_index) need(env.remove(directory / "index.snap"));
  std::unique_ptr<Account> account;
  const Cost c = cost([&] { account = need(Account::open(env, directory, {})); });
  if (account->open_report().used_snapshot != with_index || !account->open_report().damage.empty()) std::exit(1);
  return c;
}

}  // namespace

int main(int argc, char** argv) {
  uint32_t messages = 60'000;
  std::filesystem::path directory = std::filesystem::temp_directory_path() / "storage_rewrite.store";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--messages") messages = static_cast<uint32_t>(std::strtoul(argv[i + 1], nullptr, 10));
    if (option == "--dir") directory = argv[i + 1];
  }
  std::filesystem::remove_all(directory);
  PosixEnv env;
  OpenOptions options;
  options.create = true;
  if (messages < 10'000) options.segment_bytes = 1u << 20;
  std::unique_ptr<Account> account = need(Account::open(env, directory, options));
  const MailboxKey inbox = bench::make_mailbox(*account);
  bench::Letters letters(24'000);
  BodyWriter writer = account->new_body();
  for (uint32_t i = 0; i < messages;) {
    Batch b = account->begin();
    for (uint32_t n = 0; n < 50 && i < messages; ++n, ++i) bench::add_letter(b, writer, inbox, letters.next());
    need(account->commit(std::move(b)));
  }
  Batch b = account->begin();
  UidSet gone;
  for (uint32_t uid = 1; uid <= messages; ++uid) {
    if (uid % 5 < 2) gone.add(Uid(uid));
  }
  need(b.expunge(inbox, gone));
  need(account->commit(std::move(b)));
  need(account->close());

  uint64_t read = 0, written = 0;
  uint32_t passes = 0;
  Longest longest;
  const Cost rewriting = cost([&] {
    while (pass(*account, read, written, longest)) ++passes;
  });
  std::unique_ptr<Checkpoint> draft;
  double owner = 0;
  const Cost snapping = cost([&] {
    draft = timed(owner, [&] { return Checkpoint::begin(*account); });
    if (!draft) std::exit(1);
    need(draft->write());
    timed(owner, [&] { return Result<bool>(draft->name().has_value()); });
    need(draft->settle());
    timed(owner, [&] { return Result<bool>(draft->end().has_value()); });
  });
  const auto index = std::filesystem::file_size(directory / "index.snap");
  draft.reset();
  account.reset();  // as a kill leaves it: not closed
  const Cost with = opening(env, directory, true), without = opening(env, directory, false);

  const double mb = static_cast<double>(read) / 1e6;
  std::printf("%u messages, %u passes: %.0f MB read, %.0f MB written\n", messages, passes, mb,
              static_cast<double>(written) / 1e6);
  std::printf("  %.0f MB/s of log, %.2f CPU s a GB; longest step: owner %.2f ms, beside %.1f ms\n", mb / rewriting.wall,
              rewriting.cpu / mb * 1e3, longest.owner * 1e3, longest.beside * 1e3);
  std::printf("  index.snap after it: %.1f ms wall, %.1f ms CPU, %.1f MB; longest hold of the owner %.2f ms\n",
              snapping.wall * 1e3, snapping.cpu * 1e3, static_cast<double>(index) / 1e6, owner * 1e3);
  std::printf("  opening after a kill: %.1f ms (%.1f ms CPU) with it, %.1f ms (%.1f ms CPU) without\n", with.wall * 1e3,
              with.cpu * 1e3, without.wall * 1e3, without.cpu * 1e3);
  std::filesystem::remove_all(directory);
  return passes > 0 ? 0 : 1;
}
