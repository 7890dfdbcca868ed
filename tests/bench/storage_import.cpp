// What the storage library costs when a mailbox is copied: 16,500 messages of 391 MB, as the migration benchmark has
// them. CPU is user + system of this process around the library's calls; making the messages is not counted.
//
//   storage_import [--messages N] [--dir DIR]
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <random>
#include <string>

#include "storage/account.h"

namespace {

using namespace storage;

double seconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Headers, words of a small language, and for one message in four an attachment in base64.
class Mail {
 public:
  Mail() {
    for (int i = 0; i < 4000; ++i) {
      std::string w;
      for (uint32_t n = 2 + random_() % 9; n > 0; --n) w += static_cast<char>('a' + random_() % 26);
      words_.push_back(w);
    }
  }
  const std::string& next() {
    text_ = "Received: from mx" + std::to_string(random_() % 90) + ".example.org by mail.example.net with ESMTP id " +
            std::to_string(random_()) + "\r\nMessage-ID: <" + std::to_string(random_()) + "@example.org>\r\nSubject: ";
    words(60);
    text_ += "\r\nMIME-Version: 1.0\r\n\r\n";
    words(1500 + random_() % 5000);
    if (random_() % 4 == 0) {
      static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
      for (uint32_t line = (60 + random_() % 1900); line > 0; --line) {
        for (int i = 0; i < 76; ++i) text_ += alphabet[random_() % 64];
        text_ += "\r\n";
      }
    }
    return text_;
  }

 private:
  void words(size_t n) {
    size_t end = text_.size() + n;
    while (text_.size() < end) {
      uint32_t r = random_() % 4000;
      text_ += words_[r * (random_() % 4000) / 4000];  // some are frequent
      text_ += random_() % 12 == 0 ? "\r\n" : " ";
    }
  }
  std::mt19937 random_{42};
  std::vector<std::string> words_;
  std::string text_;
};

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
  uint32_t messages = 16500;
  std::filesystem::path directory = std::filesystem::temp_directory_path() / "storage_import";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--messages") messages = static_cast<uint32_t>(std::atoi(argv[i + 1]));
    if (std::string(argv[i]) == "--dir") directory = argv[i + 1];
  }
  std::filesystem::remove_all(directory);
  PosixEnv env;
  std::unique_ptr<Account> account = need(Account::open(env, directory, {.create = true}));
  Batch first = account->begin();
  MailboxInfo info;
  info.name = "INBOX";
  MailboxKey key = need(first.create_mailbox(info));
  need(account->commit(std::move(first)));

  Mail mail;
  BodyWriter writer = account->new_body();
  std::optional<Batch> batch(account->begin());
  uint64_t bytes = 0;
  double cpu = 0, wall = 0;
  for (uint32_t i = 0; i < messages; ++i) {
    const std::string& text = mail.next();
    bytes += text.size();
    double cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID), start = seconds(CLOCK_MONOTONIC);
    // As it comes from the network: in pieces.
    for (size_t at = 0; at < text.size(); at += 16384) {
      if (Result<void> r = writer.write(wire::base::as_bytes(std::string_view(text).substr(at, 16384))); !r) return 1;
    }
    NewMessage m;
    m.info.size = text.size();
    m.flags.system = wire::base::seen;
    m.info.body = need(batch->add_body(need(writer.finish())));
    need(batch->add_message(key, m));
    if (batch->bytes() > (2u << 20) || i + 1 == messages) {
      need(account->commit(std::move(*batch)));
      batch.emplace(account->begin());
    }
    cpu += seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
    wall += seconds(CLOCK_MONOTONIC) - start;
  }
  batch.reset();
  double cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID), start = seconds(CLOCK_MONOTONIC);
  need(account->sync());
  if (Result<void> r = account->close(); !r) return 1;
  cpu += seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
  wall += seconds(CLOCK_MONOTONIC) - start;
  uint64_t stored = 0;
  for (const auto& e : std::filesystem::recursive_directory_iterator(directory)) {
    if (e.is_regular_file()) stored += e.file_size();
  }
  std::printf(
      "{\"messages\":%u,\"megabytes\":%.1f,\"cpu_seconds\":%.3f,\"wall_seconds\":%.3f,\"stored_ratio\":%.3f,"
      "\"cpu_us_per_message\":%.1f}\n",
      messages, static_cast<double>(bytes) / 1e6, cpu, wall, static_cast<double>(stored) / static_cast<double>(bytes),
      cpu * 1e6 / messages);
  account.reset();
  std::filesystem::remove_all(directory);
}
