// One very large mailbox: the rate of an import from its first to its last tenth, what stays in memory, and what
// opening it costs. Messages of about 1,200 bytes, each with its own content.
//
//   storage_big [--messages N] [--dir DIR]
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <ctime>
#include <fstream>

#include "storage/checkpoint.h"
#include "tests/bench/store_for_bench.h"

namespace {

using namespace bench;

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double cpu() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Of it what the kernel does not take.
double user_cpu() {
  rusage r{};
  getrusage(RUSAGE_SELF, &r);
  return static_cast<double>(r.ru_utime.tv_sec) + static_cast<double>(r.ru_utime.tv_usec) * 1e-6;
}

// KiB of anonymous memory, after what is free was given back.
double anonymous() {
  malloc_trim(0);
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("RssAnon:", 0) == 0) return std::atof(line.c_str() + 8);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  uint32_t messages = 1'000'000;
  Scratch scratch;
  std::filesystem::path directory = scratch.path() / "account";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--messages") messages = static_cast<uint32_t>(std::atoi(argv[i + 1]));
    if (std::string(argv[i]) == "--dir") directory = argv[i + 1];
  }
  std::filesystem::remove_all(directory);  // what a run before this one left
  PosixEnv env;
  const double empty = anonymous();
  MailboxKey key;
  {
    auto account = need(Account::open(env, directory, {.create = true}));
    key = make_mailbox(*account);
    Letters letters(1200);
    BodyWriter writer = account->new_body();
    std::optional<Batch> batch(account->begin());
    double tenth[10] = {}, user_tenth[10] = {};
    std::vector<std::string> texts(100);
    for (uint32_t i = 0; i < messages;) {
      for (std::string& t : texts) t = letters.next();
      const double start = cpu(), user_start = user_cpu();
      const size_t part = uint64_t{i} * 10 / messages;
      for (size_t k = 0; k < texts.size() && i < messages; ++k) {
        add_letter(*batch, writer, key, texts[k]);
        ++i;
        if (batch->bytes() <= (2u << 20) && i != messages) continue;
        need(account->commit(std::move(*batch)));
        if (account->snapshot(key)->size() != i) return 1;
        batch.emplace(account->begin());
      }
      tenth[part] += cpu() - start;
      user_tenth[part] += user_cpu() - user_start;
    }
    batch.reset();
    need(account->sync());
    const double held = anonymous();
    // As maintenance does it: others go on, and somebody has the mailbox selected.
    MailboxSnapshotPtr shown = account->snapshot(key);
    const double start = cpu(), wall = now();
    {
      const std::unique_ptr<Checkpoint> draft = need(Checkpoint::begin(*account));
      need(draft->write());
      const double named = now();
      need(draft->name());
      shown = account->snapshot(key);
      std::printf("{\"name_ms\":%.2f,", (now() - named) * 1e3);
      need(draft->settle());
      need(draft->end());
    }
    const double snapped = anonymous();
    shown.reset();
    std::printf(
        "\"messages\":%u,\"first_tenth_cpu_s\":%.2f,\"last_tenth_cpu_s\":%.2f,\"last_rate_to_first\":%.2f,"
        "\"last_rate_to_first_user\":%.2f,"
        "\"bytes_a_message_after_import\":%.0f,\"bytes_a_message_after_checkpoint\":%.0f,\"checkpoint_cpu_s\":%.2f,"
        "\"checkpoint_s\":%.2f,",
        messages, tenth[0], tenth[9], tenth[0] / tenth[9], user_tenth[0] / user_tenth[9],
        (held - empty) * 1024 / messages, (snapped - empty) * 1024 / messages, cpu() - start, now() - wall);
    need(account->close());
  }
  const double closed = anonymous();
  double open = 1e9, select = 1e9;
  for (int round = 0; round < 3; ++round) {
    double start = now();
    auto account = need(Account::open(env, directory, {}));
    open = std::min(open, now() - start);
    start = now();
    const MailboxSnapshotPtr s = account->snapshot(key);
    select = std::min(select, now() - start);
    if (s->size() != messages) return 1;
    if (round < 2) continue;
    double counted[2] = {};  // as STATUS does
    for (double& spent : counted) {
      start = cpu();
      if (s->unseen() != messages || s->deleted() != 0) return 1;
      spent = cpu() - start;
    }
    std::printf("\"count_unseen_ms\":%.3f,\"count_unseen_again_ms\":%.4f,", counted[0] * 1e3, counted[1] * 1e3);
    const double selected = anonymous();
    BodyReader reader = need(account->open_body(*s->message(messages / 2).body));
    need(reader.read_all(1 << 20));
    std::printf(
        "\"open_ms\":%.2f,\"first_select_ms\":%.2f,\"bytes_a_message_selected\":%.0f,"
        "\"bytes_a_message_after_reading_one\":%.0f}\n",
        open * 1e3, select * 1e3, (selected - closed) * 1024 / messages, (anonymous() - closed) * 1024 / messages);
  }
  return 0;
}
