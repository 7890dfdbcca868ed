// Reads both sides again and compares them attribute by attribute; with --full every byte of every body.

#include <openssl/evp.h>

#include <algorithm>
#include <set>

#include "gateway/migrate/compare.h"
#include "gateway/migrate/job.h"
#include "gateway/migrate/jobs.h"
#include "gateway/source/listing_sink.h"
#include "gateway/source/upstream_authority.h"
#include "wire/net/pool.h"

namespace gateway::migrate {

using source::Listed;
using source::SourceMailbox;
using source::UpstreamAuthority;
using source::UserAccountPtr;
using storage::Errc;
using storage::Failure;
using storage::Sha256;

namespace {

class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new()) { start(); }
  ~Hasher() { EVP_MD_CTX_free(context_); }
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void start() { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  void add(const void* data, size_t size) { EVP_DigestUpdate(context_, data, size); }
  Sha256 finish() {
    Sha256 out;
    EVP_DigestFinal_ex(context_, out.data(), nullptr);
    return out;
  }

 private:
  EVP_MD_CTX* context_;
};

class CompareSink final : public imapc::FetchSink {
 public:
  CompareSink(MailboxCompare& compare, std::function<void(uint64_t)> on_message)
      : compare_(compare), on_message_(std::move(on_message)) {}
  void on_body_begin(const imapc::FetchItem&, const imapc::FetchSection&, uint64_t) override {
    hasher_.start();
    bytes_ = 0;
  }
  void on_body_bytes(std::string_view bytes) override {
    hasher_.add(bytes.data(), bytes.size());
    bytes_ += bytes.size();
  }
  void on_body_end() override { body_ = hasher_.finish(); }
  void on_message(const imapc::FetchItem& item) override {
    if (!item.uid) return;
    compare_.add(source::listed(item), body_);
    body_.reset();
    on_message_(bytes_);
    bytes_ = 0;
  }

 private:
  MailboxCompare& compare_;
  std::function<void(uint64_t)> on_message_;
  Hasher hasher_;
  std::optional<Sha256> body_;
  uint64_t bytes_ = 0;
};

// Every body of the copy, read back and hashed: what is on the disk is what its name says. Runs on the pool.
std::vector<std::pair<storage::Uid, std::string>> unreadable_bodies(const storage::Account& store,
                                                                    storage::MailboxSnapshotPtr box) {
  std::vector<std::pair<storage::Uid, std::string>> out;
  std::vector<uint8_t> buffer(256 * 1024);
  Hasher hasher;
  for (uint32_t i = 0; i < box->size(); ++i) {
    const auto& name = box->message(i).body;
    if (!name) continue;
    auto reader = store.open_body(*name);
    if (!reader) {
      out.emplace_back(box->uid(i), reader.error().describe());
      continue;
    }
    hasher.start();
    std::string wrong;
    for (uint64_t at = 0; at < reader->size();) {
      auto n = reader->read(at, buffer);
      if (!n || *n == 0) {
        wrong = n ? "the body is shorter than its frame says" : n.error().describe();
        break;
      }
      hasher.add(buffer.data(), *n);
      at += *n;
    }
    if (wrong.empty() && hasher.finish() != *name) wrong = "the body in the copy does not have its own hash";
    if (!wrong.empty()) out.emplace_back(box->uid(i), wrong);
  }
  return out;
}

awaitable<Result<VerifyReport::Mailbox>> compare_mailbox(UserAccountPtr account, std::string name, bool full,
                                                         std::function<void(uint64_t)> on_message) {
  auto examined = co_await account->source()->examine(name);
  if (!examined) co_return examined.error();
  const storage::Account& store = account->the_copy().store();
  const auto tree = store.tree();
  const storage::MailboxInfo* info = tree->find(name);
  storage::MailboxSnapshotPtr box = info ? store.snapshot(info->key) : nullptr;
  SourceNumbers numbers;
  numbers.uid_validity = examined->numbers.uid_validity;
  if (examined->numbers.uid_next) numbers.uid_next = examined->numbers.uid_next;
  if (examined->numbers.highest_modseq) numbers.highest_modseq = examined->numbers.highest_modseq;
  MailboxCompare compare(name, box, numbers);
  CompareSink sink(compare, std::move(on_message));
  if (examined->numbers.exists != 0) {
    imapc::Connection& c = *examined->lease;
    wire::imap::SequenceSet all;
    all.ranges.push_back({1, 0});
    auto call = c.uid_fetch(account->source()->full_listing(c, all, full), sink);
    if (auto done = co_await call.get(); !done) co_return done.error();
  }
  if (full && box) {
    const storage::Account* reading = &store;
    auto work = [reading, box] { return unreadable_bodies(*reading, box); };
    auto wrong = co_await wire::net::run_on_pool(account->services().blocking, work);
    for (const auto& [uid, why] : wrong) compare.body_unreadable(uid, why);
  }
  co_return compare.finish();
}

}  // namespace

awaitable<Result<VerifyReport>> compare_with_source(UserAccountPtr account, bool full, OnProgress progress) {
  VerifyReport report;
  report.user = account->user();
  auto seen = co_await account->source()->observe_source();
  if (!seen) co_return seen.error();
  Tally tally;
  tally.user = account->user();
  tally.mailboxes_total = seen->mailboxes.size();
  for (const SourceMailbox& m : seen->mailboxes) tally.messages_total += m.messages.value_or(0);
  auto last_told = std::chrono::steady_clock::now();
  std::function<void(uint64_t)> on_message = [&](uint64_t bytes) {
    ++tally.messages;
    tally.bytes += bytes;
    const auto now = std::chrono::steady_clock::now();
    if (!progress || now - last_told < std::chrono::milliseconds(200)) return;
    last_told = now;
    progress(tally);
  };
  const auto tree = account->the_copy().store().tree();
  std::set<std::string_view> names;
  for (const SourceMailbox& m : seen->mailboxes) {
    ++tally.mailboxes;
    tally.mailbox = m.name;
    names.insert(m.name);
    const storage::MailboxInfo* ours = tree->find(m.name);
    if (!m.selectable()) {
      if (ours) continue;
      VerifyReport::Mailbox missing;
      missing.name = m.name;
      missing.equal = false;
      missing.differences["missing"] = 1;
      report.mailboxes.push_back(std::move(missing));
      report.equal = false;
      continue;
    }
    auto compared = co_await compare_mailbox(account, m.name, full, on_message);
    if (!compared) co_return compared.error();
    if (ours && ours->special_use != m.special_use) {
      compared->equal = false;
      ++compared->differences["special_use"];
      compared->examples.push_back("special_use: the copy has another mark than the source");
    }
    if (ours && ours->mode == storage::ModSeqMode::own && m.highest_modseq) {
      report.not_preservable.push_back("modseq: " + m.name);
    }
    report.equal = report.equal && compared->equal;
    report.mailboxes.push_back(std::move(*compared));
  }
  for (const storage::MailboxInfo& m : tree->mailboxes) {
    if (names.contains(m.name) || (m.attributes & storage::foreign) != 0) continue;
    VerifyReport::Mailbox extra;
    extra.name = m.name;
    extra.equal = false;
    extra.differences["extra"] = 1;
    extra.examples.push_back("extra: the source has no such mailbox");
    report.mailboxes.push_back(std::move(extra));
    report.equal = false;
  }
  std::vector<std::string> theirs = seen->subscriptions;
  std::sort(theirs.begin(), theirs.end());
  theirs.erase(std::unique(theirs.begin(), theirs.end()), theirs.end());
  report.subscriptions_equal = theirs == tree->subscriptions;
  report.equal = report.equal && report.subscriptions_equal;
  for (const SourceMailbox& m : seen->foreign) {
    if (m.selectable()) report.not_preservable.push_back("shared: " + m.name);
  }
  if (progress) progress(tally);
  co_return report;
}

namespace {

awaitable<Result<VerifyReport>> verify_on_core(UserAccountPtr account, bool full, OnProgress progress) {
  auto job = Job::begin(account, "verify");
  if (!job) co_return job.error();
  if (!account->source()) {
    co_return Failure(Errc::usage, "'" + account->user() + "' has no upstream to be compared with");
  }
  account->source()->reopen();
  auto report = co_await compare_with_source(account, full, std::move(progress));
  if (account->owner() == source::Owner::local) co_await account->source()->close();
  co_return report;
}

}  // namespace

awaitable<Result<VerifyReport>> verify(source::Services& services, std::string user, bool full, OnProgress progress) {
  auto job = [=](UserAccountPtr account) { return verify_on_core(account, full, progress); };
  co_return co_await on_account<VerifyReport>(services, std::move(user), job);
}

}  // namespace gateway::migrate
