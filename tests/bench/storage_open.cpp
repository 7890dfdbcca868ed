// Opening an account, by index.snap and by its log: 100,000 messages without bodies in one mailbox.
//
//   storage_open [--messages N] [--dir DIR]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>

#include "storage/account.h"

namespace {

using namespace storage;

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

template <class T>
T need(Result<T> r) {
  if (!r) {
    std::fprintf(stderr, "%s\n", r.error().describe().c_str());
    std::exit(1);
  }
  return std::move(*r);
}

}  // namespace

int main(int argc, char** argv) {
  uint32_t messages = 100000;
  std::filesystem::path directory = std::filesystem::temp_directory_path() / "storage_open";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--messages") messages = static_cast<uint32_t>(std::atoi(argv[i + 1]));
    if (std::string(argv[i]) == "--dir") directory = argv[i + 1];
  }
  std::filesystem::remove_all(directory);
  PosixEnv env;
  MailboxKey key;
  {
    std::unique_ptr<Account> account = need(Account::open(env, directory, {.create = true}));
    for (uint32_t done = 0; done < messages;) {
      Batch b = account->begin();
      if (done == 0) {
        MailboxInfo info;
        info.name = "INBOX";
        key = need(b.create_mailbox(info));
      }
      for (uint32_t n = 0; n < 1000 && done < messages; ++n, ++done) {
        NewMessage m;
        m.info.size = done;
        m.info.uidl = std::to_string(done);
        m.flags.system = done % 32;
        if (done % 10 == 0) m.flags.add("$Label" + std::to_string(done % 7));
        need(b.add_message(key, m));
      }
      need(account->commit(std::move(b)));
    }
    if (Result<void> r = account->close(); !r) return 1;
  }
  double quick = 1e9, slow = 1e9;
  uint64_t seen = 0;
  for (int round = 0; round < 5; ++round) {
    double start = now();
    std::unique_ptr<Account> account = need(Account::open(env, directory, {}));
    MailboxSnapshotPtr s = account->snapshot(key);
    seen = s->size() + s->flag_bits(s->size() / 2) * 0;
    if (!account->open_report().used_snapshot) return 1;
    quick = std::min(quick, now() - start);
  }
  std::filesystem::rename(directory / "index.snap", directory / "aside");
  for (int round = 0; round < 3; ++round) {
    double start = now();
    std::unique_ptr<Account> account = need(Account::open(env, directory, {}));
    seen = std::min<uint64_t>(seen, account->snapshot(key)->size());
    slow = std::min(slow, now() - start);
  }
  std::printf("{\"messages\":%llu,\"open_by_snapshot_ms\":%.2f,\"open_by_log_ms\":%.2f}\n",
              static_cast<unsigned long long>(seen), quick, slow);
  std::filesystem::remove_all(directory);
}
