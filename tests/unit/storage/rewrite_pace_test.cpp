// How long one step of a pass, and of the index.snap after it, can hold anybody: measured in bytes and syncs, which no
// machine's load changes. Steps of the account's owner read and write no mail; the others take what they were told and
// one window, whatever the size of a body.
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/checkpoint.h"
#include "storage/segments.h"
#include "storage/space.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"

namespace storage {
namespace {

struct Meter {
  uint64_t read = 0, written = 0, syncs = 0;
  uint64_t unsynced = 0, most_in_a_sync = 0;
};

class MeteredFile final : public File {
 public:
  MeteredFile(std::unique_ptr<File> file, Meter& meter) : file_(std::move(file)), meter_(meter) {}
  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> out) const override {
    Result<size_t> n = file_->read_at(offset, out);
    if (n) meter_.read += *n;
    return n;
  }
  Result<void> write_at(uint64_t offset, std::span<const uint8_t> bytes) override {
    meter_.written += bytes.size();
    meter_.unsynced += bytes.size();
    return file_->write_at(offset, bytes);
  }
  Result<void> truncate(uint64_t size) override { return file_->truncate(size); }
  Result<void> sync() override {
    ++meter_.syncs;
    meter_.most_in_a_sync = std::max(meter_.most_in_a_sync, std::exchange(meter_.unsynced, 0));
    return file_->sync();
  }
  Result<uint64_t> size() const override { return file_->size(); }

 private:
  std::unique_ptr<File> file_;
  Meter& meter_;
};

class MeteredEnv final : public Env {
 public:
  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Mode mode) override {
    Result<std::unique_ptr<File>> file = disk.open(path, mode);
    if (!file) return file;
    return std::unique_ptr<File>(new MeteredFile(std::move(*file), meter));
  }
  Result<std::vector<std::string>> list(const std::filesystem::path& d) override { return disk.list(d); }
  Result<void> make_directory(const std::filesystem::path& p) override { return disk.make_directory(p); }
  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return disk.rename(from, to);
  }
  Result<void> remove(const std::filesystem::path& p) override { return disk.remove(p); }
  Result<void> sync_directory(const std::filesystem::path& p) override {
    ++meter.syncs;
    return disk.sync_directory(p);
  }
  int64_t now() override { return disk.now(); }
  void random(std::span<uint8_t> out) override { disk.random(out); }

  FaultEnv disk;
  Meter meter;
};

constexpr uint64_t step = 64u << 10;
constexpr uint64_t window = 256u << 10;     // that a segment is read by
constexpr uint64_t buffer = 1u << 20;       // that a segment is written by
constexpr uint64_t big = 10u << 20;         // of a body
constexpr uint64_t most_synced = 8u << 20;  // at once

class RewritePace : public testing::Test {
 protected:
  RewritePace() {
    account_ = *Account::open(env_, "/disk/user", {.create = true, .segment_bytes = 36u << 20});
    inbox_ = *create_mailbox(*account_, "INBOX");
  }
  Sha256 append(const std::string& text) {
    Batch b = account_->begin();
    NewMessage m;
    const Sha256 name = *b.add_body(*prepare(*account_, text));
    m.info.body = name;
    EXPECT_TRUE(b.add_message(inbox_, m));
    EXPECT_TRUE(account_->commit(std::move(b)));
    return name;
  }
  template <class F>
  Meter measure(F&& f) {
    env_.meter = {};
    f();
    return env_.meter;
  }

  MeteredEnv env_;
  std::unique_ptr<Account> account_;
  MailboxKey inbox_;
};

TEST_F(RewritePace, no_step_is_longer_than_it_was_told_whatever_the_size_of_a_body) {
  for (uint32_t i = 0; i < 300; ++i) append(noise(4000, i));
  append(noise(big, 1000));      // stays
  append(noise(big + 1, 1001));  // goes
  const std::string twice = noise(big + 2, 1002);
  const Sha256 name = append(twice);
  {
    // One that is stored a second time, because it could not be read for a while: the index does not know the first.
    const std::filesystem::path log = "/disk/user/log";
    std::unique_ptr<File> file = *env_.disk.open(log / list_segments(env_, log)->back().text(), Env::Mode::write);
    const uint64_t at = *file->size() - 1000;
    uint8_t good = 0;
    ASSERT_TRUE(file->read_at(at, {&good, 1}));
    const uint8_t bad = good ^ 1;
    ASSERT_TRUE(file->write_at(at, {&bad, 1}));
    {
      Result<BodyReader> body = account_->open_body(name);
      ASSERT_TRUE(!body || !body->read_all(2 * big));
    }
    ASSERT_TRUE(file->write_at(at, {&good, 1}));
    ASSERT_FALSE(account_->has_body(name));
    append(twice);
  }
  for (uint32_t i = 300; i < 600; ++i) append(noise(4000, i));
  Batch b = account_->begin();
  UidSet gone(Uid(2), Uid(299));
  gone.add(Uid(302));
  ASSERT_FALSE(b.expunge(inbox_, gone)->empty());
  ASSERT_TRUE(account_->commit(std::move(b)));
  ASSERT_TRUE(account_->sync());
  const std::string seen = describe_all(*account_);

  std::unique_ptr<Rewrite> pass;
  Meter owner = measure([&] { pass = *Space(*account_).begin(); });
  ASSERT_TRUE(pass);
  Meter most;
  uint64_t steps = 0;
  auto beside = [&](auto&& f) {
    Meter m = measure(f);
    most.read = std::max(most.read, m.read);
    most.written = std::max(most.written, m.written);
    most.most_in_a_sync = std::max(most.most_in_a_sync, m.most_in_a_sync);
    ++steps;
  };
  auto owners = [&](auto&& f) {
    Meter m = measure(f);
    owner.read += m.read;
    owner.written += m.written;
    owner.syncs += m.syncs;
  };
  uint64_t unsynced = 0;
  for (Rewrite::Step s = Rewrite::Step::more; s == Rewrite::Step::more;) beside([&] { s = *pass->survey(step); });
  for (bool done = false; !done;) owners([&] { done = *pass->condemn(16); });
  for (Rewrite::Step s = Rewrite::Step::more; s == Rewrite::Step::more;) {
    beside([&] {
      env_.meter.unsynced = unsynced;
      s = *pass->copy(step);
      unsynced = env_.meter.unsynced;
    });
  }
  for (bool done = false; !done;) owners([&] { done = *pass->adopt(16); });
  const RewriteResult result = pass->result();
  EXPECT_GT(result.read, 3 * big);
  EXPECT_GT(result.written, 1 * big);
  EXPECT_LT(result.written, 3 * big);
  EXPECT_GT(steps, 3 * big / (step + window)) << "what stays, and what is looked at, is read piece by piece";
  EXPECT_LE(most.read, step + 2 * window);
  EXPECT_LE(most.written, step + buffer + window);
  EXPECT_LE(most.most_in_a_sync, most_synced + buffer);
  EXPECT_EQ(owner.written, 0u);
  EXPECT_EQ(owner.syncs, 0u);
  EXPECT_LE(owner.read, 4096u) << "index.snap's directory";
  pass.reset();

  Meter snap = measure([&] {});
  std::unique_ptr<Checkpoint> draft;
  owner = {};
  owners([&] { draft = *Checkpoint::begin(*account_); });
  ASSERT_TRUE(draft);
  snap = measure([&] { ASSERT_TRUE(draft->write()); });
  EXPECT_GT(snap.written, 10'000u);
  owners([&] { ASSERT_TRUE(draft->name()); });
  ASSERT_TRUE(draft->settle());
  owners([&] { ASSERT_TRUE(draft->end()); });
  EXPECT_LE(owner.written, 512u) << "the head of a segment and a checkpoint frame";
  EXPECT_EQ(owner.syncs, 0u);
  EXPECT_EQ(owner.read, 0u);
  EXPECT_EQ(describe_all(*account_), seen);
}

}  // namespace
}  // namespace storage
