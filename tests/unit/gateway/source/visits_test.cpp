// Accounts that nobody opens: looked after one at a time, when that is due and the node is quiet.
#include <gtest/gtest.h>
#include <stdlib.h>

#include "gateway/source/account_directory.h"
#include "gateway/source/maintenance.h"
#include "gateway/source/registry.h"
#include "gateway/source/user_account.h"
#include "storage/segments.h"
#include "tests/fault/fault_env.h"
#include "tests/fault/store_view.h"
#include "tests/support/run.h"

namespace gateway::source {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using tests::support::run;

constexpr int64_t start_time = 1'700'000'000;

class VisitsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fairlead-visits-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    config_.data_dir = "/disk";
    config_.segment_size = 4000;
    config_.rewrite_share = 100;
    config_.rewrite_idle = 0;
    config_.visit_unopened = 0;  // no pause between two looks; it is the server that takes 0 for never
    auto c = control::open_sqlite({dir_ / "control.db", dir_ / "secret.key"});
    ASSERT_TRUE(c) << c.error().describe();
    control_ = std::move(*c);
    for (const char* user : {"anna", "bert"}) {
      control::User u;
      u.name = user;
      u.placement.owner = Owner::local;
      u.placement.epoch = storage::Epoch(1);
      u.state = control::State::committed;
      ASSERT_TRUE(control_->add_user(u));
    }
    services_.reset(new Services{config_, *control_, env_, {context_.get_executor()}, pool_, nullptr, nullptr, {}});
    services_->warn = [this](const std::string& user, const std::string& what) {
      std::lock_guard lock(mutex_);
      warnings_.push_back(user + ": " + what);
    };
    registry_ = std::make_unique<Registry>(*services_);
    services_->registry = registry_.get();
  }
  void TearDown() override {
    run(context_, registry_->close());
    registry_.reset();
    pool_.join();
    control_.reset();
    fs::remove_all(dir_);
  }
  UserAccountPtr open(const std::string& user) { return *run(context_, registry_->open(user)); }
  void close(const std::string& user) { run(context_, registry_->close_user(user, "")); }
  // Sixty messages of which ten stay.
  void fill(const std::string& user) {
    UserAccountPtr account = open(user);
    for (uint32_t i = 0; i < 60; ++i) {
      storage::BodyWriter writer = account->new_body();
      ASSERT_TRUE(writer.write(wire::base::as_bytes(storage::noise(500, i))));
      AppendItem item{{}, {}, *writer.finish()};
      ASSERT_TRUE(run(context_, account->append("INBOX", std::move(item))));
    }
    const MailboxPtr box = *run(context_, account->open("INBOX", true));
    FlagChange deleted;
    deleted.mode = wire::base::FlagsMode::add;
    deleted.flags.system = wire::base::deleted;
    const UidSet most(Uid(5), Uid(54));
    ASSERT_TRUE(run(context_, account->store(box, most, deleted, {})));
    ASSERT_TRUE(run(context_, account->expunge(box, most)));
  }
  bool visit() { return run(context_, registry_->visit_one()); }
  uint64_t log_bytes(const std::string& user) {
    uint64_t n = 0;
    const fs::path log = account_directory("/disk", user) / "log";
    for (const storage::SegmentName& s : *storage::list_segments(env_, log)) {
      n += env_.bytes((log / s.text()).string()).size();
    }
    return n;
  }
  size_t files(const std::string& user, const char* folder) {
    auto names = env_.list(account_directory("/disk", user) / folder);
    return names ? names->size() : 0;
  }

  fs::path dir_;
  config::Config config_;
  std::unique_ptr<control::Control> control_;
  storage::FaultEnv env_;
  asio::io_context context_;
  asio::thread_pool pool_{1};
  std::unique_ptr<Services> services_;
  std::unique_ptr<Registry> registry_;
  std::mutex mutex_;
  std::vector<std::string> warnings_;
};

TEST_F(VisitsTest, space_comes_back_and_what_was_replaced_goes_without_anybody_opening_the_account) {
  fill("anna");
  close("anna");
  const uint64_t before = log_bytes("anna");
  ASSERT_TRUE(visit());
  EXPECT_LT(log_bytes("anna"), before / 2);
  const size_t lingering = files("anna", "log");
  EXPECT_FALSE(visit());  // nothing is due, and nothing was written
  env_.set_time(start_time + 3'599);
  EXPECT_FALSE(visit());
  env_.set_time(start_time + 3'600);
  EXPECT_TRUE(visit());
  EXPECT_LT(files("anna", "log"), lingering);
  EXPECT_GT(files("anna", "retired"), 0u);
  EXPECT_FALSE(visit());
  env_.set_time(start_time + 86'400);
  EXPECT_TRUE(visit());
  EXPECT_EQ(files("anna", "retired"), 0u);
  env_.set_time(start_time + 40 * 86'400);
  EXPECT_FALSE(visit());
  EXPECT_EQ(open("anna")->the_copy().store().snapshot(open("anna")->the_copy().tree()->find("INBOX")->key)->size(),
            10u);
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(VisitsTest, those_that_somebody_uses_are_left_alone_and_come_later) {
  fill("anna");
  fill("bert");
  close("bert");
  const uint64_t anna = log_bytes("anna"), bert = log_bytes("bert");
  ASSERT_TRUE(visit());
  EXPECT_LT(log_bytes("bert"), bert / 2);
  EXPECT_EQ(log_bytes("anna"), anna);
  close("anna");
  ASSERT_TRUE(visit());
  EXPECT_LT(log_bytes("anna"), anna / 2);
}

TEST_F(VisitsTest, one_that_cannot_be_opened_is_warned_about_once_a_day_and_holds_nobody_up) {
  fill("anna");
  fill("bert");
  close("anna");
  close("bert");
  for (const std::string& path : env_.paths()) {
    if (path.find("/anna/") != path.npos) env_.forget(path);
  }
  const uint64_t bert = log_bytes("bert");
  EXPECT_TRUE(visit());
  EXPECT_TRUE(visit());
  EXPECT_LT(log_bytes("bert"), bert / 2);
  EXPECT_FALSE(visit());
  EXPECT_EQ(warnings_.size(), 1u);
  env_.set_time(start_time + 86'400);
  while (visit()) continue;
  EXPECT_EQ(warnings_.size(), 2u);
}

TEST_F(VisitsTest, a_node_in_use_is_left_alone) {
  config_.rewrite_idle = 1'000;
  fill("anna");
  close("anna");
  EXPECT_FALSE(visit());
  config_.rewrite_idle = 0;
  EXPECT_TRUE(visit());
}

TEST(Visits, wait_for_quiet_and_where_there_is_none_come_rarely) {
  EXPECT_TRUE(may_visit({.unused = 20s}, 20s));
  EXPECT_FALSE(may_visit({.unused = 19s, .unquiet = 59min, .unvisited = 1h}, 20s));
  EXPECT_FALSE(may_visit({.job = true, .unused = 1h, .unquiet = 59min, .unvisited = 1h}, 20s));
  EXPECT_TRUE(may_visit({.unused = 0s, .unquiet = 1h, .unvisited = 20s}, 20s));
  EXPECT_TRUE(may_visit({.job = true, .unquiet = 1h, .unvisited = 20s}, 20s));
  EXPECT_FALSE(may_visit({.unused = 0s, .unquiet = 1h, .unvisited = 19s}, 20s));
}

}  // namespace
}  // namespace gateway::source
