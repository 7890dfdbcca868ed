// Stores that benchmarks measure. One thread.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "storage/account.h"

namespace bench {

using namespace storage;

template <class T>
T need(Result<T> r) {
  if (!r) {
    std::fprintf(stderr, "%s\n", r.error().describe().c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

// A directory of its own that is gone afterwards.
class Scratch {
 public:
  Scratch() {
    const char* base = std::getenv("FAIRLEAD_BENCH_DIR");
    std::string name =
        (base ? std::filesystem::path(base) : std::filesystem::temp_directory_path()) / "storage-bench-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::exit(1);
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Small letters, no two alike; words, so that they shrink as mail does.
class Letters {
 public:
  explicit Letters(size_t size) : size_(size) {
    for (int i = 0; i < 2000; ++i) {
      std::string w;
      for (uint32_t n = 2 + random_() % 9; n > 0; --n) w += static_cast<char>('a' + random_() % 26);
      words_.push_back(w);
    }
  }
  const std::string& next() {
    text_ = "From: a@example.org\r\nTo: b@example.org\r\nMessage-ID: <" + std::to_string(++count_) + "." +
            std::to_string(random_()) + "@example.org>\r\nSubject: ";
    while (text_.size() < size_) {
      uint32_t r = random_() % 2000;
      text_ += words_[r * (random_() % 2000) / 2000];
      text_ += random_() % 12 == 0 ? "\r\n " : " ";
    }
    return text_ += "\r\n";
  }

 private:
  const size_t size_;
  std::mt19937 random_{42};
  uint64_t count_ = 0;
  std::vector<std::string> words_;
  std::string text_;
};

inline MailboxKey make_mailbox(Account& account, std::string name = "INBOX") {
  Batch b = account.begin();
  MailboxInfo info;
  info.name = std::move(name);
  MailboxKey key = need(b.create_mailbox(info));
  need(account.commit(std::move(b)));
  return key;
}

// Messages without content, as a first listing leaves them.
inline void list_messages(Account& account, MailboxKey key, uint32_t count) {
  for (uint32_t done = 0; done < count;) {
    Batch b = account.begin();
    for (uint32_t n = 0; n < 1000 && done < count; ++n, ++done) {
      NewMessage m;
      m.info.size = 1000 + done;
      m.flags.system = done % 32 & ~static_cast<uint32_t>(wire::base::flagged);
      if (done % 10 == 0) m.flags.add("$Label" + std::to_string(done % 7));
      need(b.add_message(key, m));
    }
    need(account.commit(std::move(b)));
  }
}

inline Uid add_letter(Batch& batch, BodyWriter& writer, MailboxKey key, const std::string& text) {
  need(writer.write(wire::base::as_bytes(text)));
  NewMessage m;
  m.info.size = text.size();
  m.info.date = {1700000000, 60};
  m.info.save_date = InternalDate{1700000000, 0};
  m.info.body = need(batch.add_body(need(writer.finish())));
  return need(batch.add_message(key, m)).uid;
}

}  // namespace bench
