// Accounts full of mail that benchmarks measure, made as the server makes them. One thread.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "storage/space.h"
#include "tests/bench/store_for_bench.h"

namespace bench {

inline double cpu_now() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Messages from a directory, one a file, in the order of their names; or small ones, made.
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

inline NewMessage listed(uint32_t i, uint64_t size) {
  NewMessage m;
  m.info.size = size;
  m.info.date = {1262304000 + int64_t{i} * 4700, static_cast<int16_t>(i % 3 * 60)};
  m.flags.system = i % 10 < 7 ? wire::base::seen : 0;
  if (i % 25 == 0) m.flags.add("$Forwarded");
  return m;
}

// What the maintenance of a server does while mail arrives.
inline void maintain(Account& account) {
  if (!account.wants_dictionary()) return;
  if (Result<void> r = account.train_dictionary(); !r) std::exit(1);
}

struct Filling {
  bool sync = false;        // as a sync brings mail: listed first, contents later; else as it is delivered
  bool dictionary = false;  // is trained once the account wants it
};

// An INBOX of all of it. Returns its octets.
inline uint64_t fill(Account& account, const Mail& mail, Filling how) {
  const MailboxKey key = make_mailbox(account);
  if (how.sync) {
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
      if (how.sync) {
        if (!page.attach_body(key, Uid(i + 1), name, text.size())) std::exit(1);
      } else {
        NewMessage m = listed(i, text.size());
        m.info.body = name;
        need(page.add_message(key, m));
      }
      ++i;
      if (!how.sync) break;  // each delivery is a batch
    }
    need(account.commit(std::move(page)));
    if (how.dictionary) maintain(account);
  }
  return bytes;
}

// What the maintenance of a server does when nobody waits for the disk.
inline bool pack(Account& account) {
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

}  // namespace bench
