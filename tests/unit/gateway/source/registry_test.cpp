// Accounts through the registry over a disk that fails: what is damaged is told and stays one message's problem, what
// cannot be written ends the account's opening and not the process, and an older directory is recognised.
#include "gateway/source/registry.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "gateway/source/account_directory.h"
#include "gateway/source/user_account.h"
#include "storage/frame.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"
#include "tests/support/run.h"

namespace gateway::source {
namespace {

namespace fs = std::filesystem;
using storage::Errc;
using storage::FaultEnv;
using tests::support::run;

class Leaver final : public AccountWatcher {
 public:
  void on_must_leave(const std::string& why) override { told = why; }
  std::string told;
};

class RegistryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fairlead-registry-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    config_.data_dir = "/disk";
    auto c = control::open_sqlite({dir_ / "control.db", dir_ / "secret.key"});
    ASSERT_TRUE(c) << c.error().describe();
    control_ = std::move(*c);
    control::User u;
    u.name = "anna";
    u.placement.owner = Owner::local;
    u.placement.epoch = storage::Epoch(1);
    u.state = control::State::committed;
    ASSERT_TRUE(control_->add_user(u));
    start();
  }
  void TearDown() override {
    stop();
    pool_.join();
    control_.reset();
    fs::remove_all(dir_);
  }
  void start() {
    services_.reset(new Services{config_, *control_, *env_, {context_.get_executor()}, pool_, nullptr, nullptr, {}});
    services_->warn = [this](const std::string& user, const std::string& what) {
      std::lock_guard lock(mutex_);
      warnings_.push_back(user + ": " + what);
    };
    registry_ = std::make_unique<Registry>(*services_);
    services_->registry = registry_.get();
  }
  void stop() {
    account_.reset();
    if (registry_) run(context_, registry_->close());
    registry_.reset();
  }
  // The process is gone, its store with it.
  void crash(storage::Survives what) {
    account_.reset();
    std::unique_ptr<FaultEnv> next = env_->image(what);
    old_.push_back(std::move(registry_));
    boot(std::move(next));
  }
  void boot(std::unique_ptr<FaultEnv> disk) {
    kept_.push_back(std::move(env_));
    env_ = std::move(disk);
    start();
  }
  void open() {
    auto account = run(context_, registry_->open("anna"));
    ASSERT_TRUE(account) << account.error().describe();
    account_ = *account;
  }
  MailboxPtr inbox() { return *run(context_, account_->open("INBOX", true)); }
  Result<AppendOutcome> append(const std::string& text) {
    storage::BodyWriter writer = account_->new_body();
    EXPECT_TRUE(writer.write(wire::base::as_bytes(text)));
    AppendItem item{{}, {}, *writer.finish()};
    return run(context_, account_->append("INBOX", std::move(item)));
  }
  Result<std::string> read(Uid uid) {
    const MailboxSnapshotPtr now = inbox()->current();
    auto reader = account_->open_body(*now->message(*now->find(uid)).body);
    if (!reader) return reader.error();
    return reader->read_all(1 << 20);
  }
  // Turns a byte of the block where this text is stored as it is.
  void damage(const std::string& text) {
    for (const std::string& path : env_->paths()) {
      std::vector<uint8_t> bytes = env_->bytes(path);
      const auto wanted = wire::base::as_bytes(std::string_view(text).substr(20, 40));
      auto at = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
      if (at == bytes.end()) continue;
      const auto offset = static_cast<uint64_t>(at - bytes.begin());
      const uint8_t turned[] = {static_cast<uint8_t>(*at ^ 1)};
      env_->pause(true);
      auto file = env_->open(path, storage::Env::Mode::write);
      ASSERT_TRUE(file);
      ASSERT_TRUE((*file)->write_at(offset, turned));
      env_->pause(false);
      return;
    }
    FAIL() << "the text is nowhere as it is";
  }
  size_t warnings(const std::string& with) {
    std::lock_guard lock(mutex_);
    return static_cast<size_t>(std::count_if(warnings_.begin(), warnings_.end(),
                                             [&](const std::string& w) { return w.find(with) != std::string::npos; }));
  }

  fs::path dir_;
  config::Config config_;
  std::unique_ptr<control::Control> control_;
  std::unique_ptr<FaultEnv> env_ = std::make_unique<FaultEnv>();
  std::vector<std::unique_ptr<FaultEnv>> kept_;
  asio::io_context context_;
  asio::thread_pool pool_{1};
  std::unique_ptr<Services> services_;
  std::unique_ptr<Registry> registry_;
  std::vector<std::unique_ptr<Registry>> old_;
  UserAccountPtr account_;
  std::mutex mutex_;
  std::vector<std::string> warnings_;
};

TEST_F(RegistryTest, a_damaged_body_is_told_once_and_never_given_out_wrong) {
  open();
  const std::string good = storage::noise(500, 1), bad = storage::noise(500, 2);
  ASSERT_TRUE(append(good));
  ASSERT_TRUE(append(bad));
  damage(bad);
  EXPECT_EQ(read(Uid(2)).error().code, Errc::corrupt);
  for (int i = 0; i < 3; ++i) {
    auto content = run(context_, account_->ensure_content(inbox(), UidSet(Uid(1), Uid(2))));
    ASSERT_TRUE(content);
    ASSERT_EQ(content->failed.size(), 1u);
    EXPECT_EQ(content->failed[0].uid, Uid(2));
    EXPECT_EQ(content->failed[0].why.code, Errc::corrupt);
  }
  EXPECT_TRUE(*read(Uid(1)) == good);
  EXPECT_EQ(warnings("damaged message"), 1u);
  EXPECT_EQ(warnings("anna: damaged message: mailbox \"INBOX\" UID 2, 0000000000000001-open-0000.log at "), 1u);
  // The same mail once more brings the bytes back.
  ASSERT_TRUE(append(bad));
  EXPECT_TRUE(*read(Uid(2)) == bad);
}

TEST_F(RegistryTest, a_body_that_the_disk_cannot_read_is_given_up_at_the_second_time_until_it_is_opened_again) {
  open();
  const std::string text = storage::noise(500, 1);
  ASSERT_TRUE(append(text));
  inbox();
  env_->heal();
  auto reader = account_->open_body(*inbox()->current()->message(0).body);
  ASSERT_TRUE(reader);
  env_->fail(env_->operations() + 1);
  EXPECT_EQ(reader->read_all(1000).error().code, Errc::io);
  EXPECT_TRUE(account_->open_body(*inbox()->current()->message(0).body));
  env_->fail(env_->operations() + 1);
  EXPECT_EQ(reader->read_all(1000).error().code, Errc::io);
  EXPECT_EQ(account_->open_body(*inbox()->current()->message(0).body).error().code, Errc::not_found);
  stop();
  start();
  open();
  EXPECT_TRUE(*read(Uid(1)) == text);
}

TEST_F(RegistryTest, a_failed_fsync_acknowledges_nothing_and_the_account_opens_again_by_itself) {
  open();
  ASSERT_TRUE(append("first"));
  Leaver leaver;
  account_->add_watcher(&leaver);
  // The next sync fails; writes do not.
  uint64_t before = env_->operations();
  ASSERT_TRUE(append("second"));
  const uint64_t each = env_->operations() - before;
  env_->fail(env_->operations() + each);
  auto refused = append("third");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_FALSE(append("fourth"));
  tests::support::poll(context_);
  EXPECT_EQ(leaver.told, "the account's disk failed; please reconnect");
  EXPECT_EQ(warnings("the store failed and is opened again"), 1u);
  account_->remove_watcher(&leaver);
  open();
  EXPECT_FALSE(account_->closed());
  EXPECT_GE(inbox()->current()->size(), 2u);
  ASSERT_TRUE(append("fifth"));
  EXPECT_EQ(*read(Uid(1)), "first");
  EXPECT_EQ(*read(Uid(2)), "second");
}

TEST_F(RegistryTest, a_crash_changes_no_number) {
  open();
  ASSERT_TRUE(append("first"));
  ASSERT_TRUE(append("second"));
  const storage::MailboxInfo was = inbox()->info();
  crash(storage::Survives::synced);
  open();
  EXPECT_EQ(inbox()->info(), was);
  EXPECT_EQ(warnings("put back"), 0u);
}

TEST_F(RegistryTest, an_older_directory_is_told_and_no_uid_is_given_twice) {
  open();
  ASSERT_TRUE(append("first"));
  std::unique_ptr<FaultEnv> backup = env_->image(storage::Survives::all);
  ASSERT_TRUE(append("second"));
  ASSERT_TRUE(append("third"));
  const storage::MailboxInfo was = inbox()->info();
  stop();
  boot(std::move(backup));
  open();
  EXPECT_EQ(inbox()->info().uid_validity, was.uid_validity);
  EXPECT_GT(inbox()->info().uid_next, was.uid_next);
  EXPECT_GT(inbox()->info().highest_modseq, was.highest_modseq);
  EXPECT_EQ(warnings("an older copy of the account's directory was put back"), 1u);
  const auto events = control_->events("anna", 10);
  ASSERT_TRUE(events && !events->empty());
  EXPECT_NE(events->front().what.find("put back"), std::string::npos);
  EXPECT_EQ(*read(Uid(1)), "first");
  auto next = append("new");
  ASSERT_TRUE(next);
  EXPECT_GT(next->uid, was.uid_next);
  // Once: the next opening finds it as it left it.
  const storage::MailboxInfo now = inbox()->info();
  stop();
  start();
  open();
  EXPECT_EQ(inbox()->info(), now);
  EXPECT_EQ(warnings("put back"), 1u);
}

TEST_F(RegistryTest, a_directory_that_is_missing_is_never_replaced_by_an_empty_mailbox) {
  open();
  ASSERT_TRUE(append("first"));
  stop();
  boot(std::make_unique<FaultEnv>());
  auto account = run(context_, registry_->open("anna"));
  ASSERT_FALSE(account);
  EXPECT_EQ(account.error().code, Errc::unavailable);
  EXPECT_TRUE(env_->paths().empty());
}

}  // namespace
}  // namespace gateway::source
