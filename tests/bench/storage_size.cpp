// What an account takes on disk, by part, for each octet of its mail; and what writing it costs. Two ways in: "append"
// as APPEND, LMTP and import do (a body with its message), "sync" as a copy of a mailbox does (listed first, bodies
// later).
//
//   storage_size [--mail DIR] [--messages N] [--way append|sync] [--format 1|2] [--dictionary 0|1] [--dir DIR]
//
// --mail: a directory of messages, one a file, read in order of their names; else small ones are made. --dictionary 1
// trains one as soon as the account wants it, as the maintenance of a server does. Then
// it is rewritten until nothing is gained, as that does, too.
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "storage/letter.h"
#include "storage/log_scan.h"
#include "storage/segments.h"
#include "tests/bench/mail_for_bench.h"

namespace {

using namespace bench;

struct Options {
  std::filesystem::path mail, directory = std::filesystem::temp_directory_path() / "storage_size";
  uint32_t messages = 0, format = 2;
  bool sync = false, dictionary = true;
};

Options options_of(int argc, char** argv) {
  Options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--mail") o.mail = value;
    if (name == "--messages") o.messages = static_cast<uint32_t>(std::atoi(value.c_str()));
    if (name == "--way") o.sync = value == "sync";
    if (name == "--format") o.format = static_cast<uint32_t>(std::atoi(value.c_str()));
    if (name == "--dictionary") o.dictionary = value == "1";
    if (name == "--dir") o.directory = value;
  }
  if (o.mail.empty() && o.messages == 0) o.messages = 2000;
  return o;
}

struct Parts {
  uint64_t log = 0, blocks = 0, index = 0, other = 0, on_disk = 0;
};

Parts parts_of(Env& env, const std::filesystem::path& directory) {
  Parts p;
  for (const auto& e : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat st {};
    if (::stat(e.path().c_str(), &st) == 0) p.on_disk += static_cast<uint64_t>(st.st_blocks) * 512;
    if (!e.is_regular_file()) continue;
    if (e.path().extension() == ".log") {
      p.log += e.file_size();
    } else if (e.path().filename() == "index.snap") {
      p.index += e.file_size();
    } else {
      p.other += e.file_size();
    }
  }
  const std::filesystem::path log = directory / "log";
  LogScan scan(env, log, need(list_segments(env, log)), false);
  const LogScan::OnBatch count = [&](std::span<const LogFrame> batch) -> Result<void> {
    for (const LogFrame& f : batch) {
      if (f.header.kind != FrameKind::body) continue;
      Result<Letter> letter = Letter::decode(f.payload);
      p.blocks +=
          f.header.length - (f.header.version == letter_version && letter ? letter->head : BodyHead::length(f.payload));
    }
    return {};
  };
  if (!scan.run({}, Lsn(1), Lsn(0), count)) std::exit(1);
  return p;
}

void print(const char* when, const Parts& p, uint64_t mail_bytes, uint32_t messages, double cpu) {
  const auto ratio = [&](uint64_t n) { return static_cast<double>(n) / static_cast<double>(mail_bytes); };
  std::printf(
      "{\"when\":\"%s\",\"messages\":%u,\"mail_bytes\":%llu,\"cpu_seconds\":%.2f,\"frames\":%.4f,\"bodies\":%.4f,"
      "\"index\":%.4f,\"other\":%.4f,\"disk\":%.4f}\n",
      when, messages, static_cast<unsigned long long>(mail_bytes), cpu, ratio(p.log - p.blocks), ratio(p.blocks),
      ratio(p.index), ratio(p.other), ratio(p.on_disk));
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = options_of(argc, argv);
  const Mail mail(o.mail, o.messages);
  std::filesystem::remove_all(o.directory);
  PosixEnv env;
  std::unique_ptr<Account> account = need(Account::open(env, o.directory, {.create = true, .format = o.format}));
  const double start = cpu_now();
  const uint64_t bytes = fill(*account, mail, {o.sync, o.dictionary});
  if (!account->close()) return 1;
  print("written", parts_of(env, o.directory), bytes, mail.count(), cpu_now() - start);
  const double packing = cpu_now();
  if (!pack(*account) || !account->close()) return 1;
  print("packed", parts_of(env, o.directory), bytes, mail.count(), cpu_now() - packing);
  account.reset();
  std::filesystem::remove_all(o.directory);
}
