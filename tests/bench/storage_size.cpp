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

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "storage/letter.h"
#include "storage/log_scan.h"
#include "storage/segments.h"
#include "storage/space.h"
#include "tests/bench/store_for_bench.h"

namespace {

using namespace bench;

double cpu_now() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Messages from a directory, or made.
class Mail {
 public:
  Mail(const std::filesystem::path& directory, uint32_t count) {
    if (directory.empty()) {
      count_ = count;
      return;
    }
    for (const auto& e : std::filesystem::directory_iterator(directory)) files_.push_back(e.path());
    std::sort(files_.begin(), files_.end());
    if (count != 0 && count < files_.size()) files_.resize(count);
    count_ = static_cast<uint32_t>(files_.size());
  }
  uint32_t count() const { return count_; }
  std::string text(uint32_t i) const {
    if (!files_.empty()) {
      std::ifstream in(files_[i], std::ios::binary);
      return {std::istreambuf_iterator<char>(in), {}};
    }
    std::mt19937 random(i);
    std::string t = "Received: from mx" + std::to_string(random() % 9) + ".example.org by mail.example.net; id " +
                    std::to_string(random()) + "\r\nFrom: <s" + std::to_string(random() % 97) +
                    "@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n";
    static constexpr const char* words[] = {"order",    "meeting",  "please", "invoice",
                                            "attached", "tomorrow", "for",    "the"};
    for (uint32_t n = 20 + random() % 150; n > 0; --n) t += std::string(words[random() % 8]) + (n % 12 ? " " : "\r\n");
    return t;
  }

 private:
  std::vector<std::filesystem::path> files_;
  uint32_t count_ = 0;
};

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

NewMessage listed(uint32_t i, uint64_t size) {
  NewMessage m;
  m.info.size = size;
  m.info.date = {1262304000 + int64_t{i} * 4700, static_cast<int16_t>(i % 3 * 60)};
  m.flags.system = i % 10 < 7 ? wire::base::seen : 0;
  if (i % 25 == 0) m.flags.add("$Forwarded");
  return m;
}

void maintain(Account& account, const Options& o) {
  if (!o.dictionary || !account.wants_dictionary()) return;
  if (Result<void> r = account.train_dictionary(); !r) std::exit(1);
}

uint64_t fill(Account& account, const Mail& mail, const Options& o) {
  Batch first = account.begin();
  MailboxInfo info;
  info.name = "INBOX";
  MailboxKey key = need(first.create_mailbox(info));
  need(account.commit(std::move(first)));
  if (o.sync) {
    for (uint32_t i = 0; i < mail.count();) {
      Batch page = account.begin();
      for (uint32_t end = std::min(mail.count(), i + 1000); i < end; ++i) need(page.add_message(key, listed(i, 0)));
      need(account.commit(std::move(page)));
    }
  }
  BodyWriter writer = account.new_body();
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < mail.count();) {
    Batch page = account.begin();
    while (i < mail.count() && page.bytes() < (2u << 20)) {
      const std::string text = mail.text(i);
      bytes += text.size();
      if (!writer.write(wire::base::as_bytes(text))) std::exit(1);
      const Sha256 name = need(page.add_body(need(writer.finish())));
      if (o.sync) {
        if (!page.attach_body(key, Uid(i + 1), name, text.size())) std::exit(1);
      } else {
        NewMessage m = listed(i, text.size());
        m.info.body = name;
        need(page.add_message(key, m));
      }
      ++i;
      if (!o.sync) break;  // each delivery is a batch
    }
    need(account.commit(std::move(page)));
    maintain(account, o);
  }
  return bytes;
}

// What the maintenance of a server does when nobody waits for the disk.
bool pack(Account& account) {
  while (true) {
    std::unique_ptr<Rewrite> pass = need(Space(account).begin());
    if (!pass) return true;
    Rewrite::Step step = Rewrite::Step::more;
    while (step == Rewrite::Step::more) step = need(pass->survey(8u << 20));
    if (step == Rewrite::Step::nothing) return static_cast<bool>(pass->cancel());
    while (!need(pass->condemn(SIZE_MAX))) {
    }
    while (need(pass->copy(8u << 20)) == Rewrite::Step::more) {
    }
    while (!need(pass->adopt(SIZE_MAX))) {
    }
    pass.reset();
    for (int n = 0; n < 2; ++n) need(Space(account).retire({0, 0}));  // what was replaced is removed at once
  }
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
  const uint64_t bytes = fill(*account, mail, o);
  if (!account->close()) return 1;
  print("written", parts_of(env, o.directory), bytes, mail.count(), cpu_now() - start);
  const double packing = cpu_now();
  if (!pack(*account) || !account->close()) return 1;
  print("packed", parts_of(env, o.directory), bytes, mail.count(), cpu_now() - packing);
  account.reset();
  std::filesystem::remove_all(o.directory);
}
