// The local authority over the real engine, in a directory of its own.

#include "gateway/source/local_authority.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "tests/support/run.h"

namespace gateway::source {
namespace {

using storage::Errc;
using storage::MailboxInfo;
using tests::support::run;

class LocalAuthorityTest : public testing::Test {
 protected:
  LocalAuthorityTest() : pool_(1) {
    static std::random_device seed;
    directory_ = std::filesystem::temp_directory_path() / ("fairlead-local-" + std::to_string(seed()));
    storage::OpenOptions options;
    options.create = true;
    auto store = storage::Account::open(env_, directory_, options);
    if (!store) throw std::runtime_error(store.error().describe());
    copy_ = std::make_unique<Copy>(context_.get_executor(), pool_, std::move(*store));
    authority_ = std::make_unique<LocalAuthority>(*copy_, '/');
    EXPECT_TRUE(run(context_, authority_->create("INBOX", {})));
  }
  ~LocalAuthorityTest() override {
    pool_.join();
    std::filesystem::remove_all(directory_);
  }

  MailboxPtr open(const std::string& name) {
    auto key = run(context_, authority_->refresh(name, true));
    EXPECT_TRUE(key);
    return *run(context_, copy_->open(*key));
  }
  AppendOutcome append(const std::string& name, const std::string& text, Flags flags = {}) {
    storage::BodyWriter writer = copy_->store().new_body();
    EXPECT_TRUE(writer.write(wire::base::as_bytes(text)));
    AppendItem item{std::move(flags), InternalDate{1700000000, 60}, *writer.finish()};
    auto done = run(context_, authority_->append(name, std::move(item)));
    EXPECT_TRUE(done);
    return *done;
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const MailboxInfo& m : copy_->tree()->mailboxes) out.push_back(m.name);
    std::sort(out.begin(), out.end());
    return out;
  }

  storage::PosixEnv env_;
  asio::io_context context_;
  asio::thread_pool pool_;
  std::filesystem::path directory_;
  std::unique_ptr<Copy> copy_;
  std::unique_ptr<LocalAuthority> authority_;
};

TEST_F(LocalAuthorityTest, an_appended_message_is_there_with_its_flags_date_and_bytes) {
  Flags flags;
  flags.system = wire::base::seen;
  flags.add("Work");
  const AppendOutcome done = append("INBOX", "Subject: a\r\n\r\nb\r\n", flags);
  MailboxPtr box = open("INBOX");
  ASSERT_EQ(box->current()->size(), 1u);
  EXPECT_EQ(box->current()->uid(0), done.uid);
  EXPECT_EQ(box->info().uid_validity, done.uid_validity);
  EXPECT_EQ(box->current()->flags(0), flags);
  EXPECT_EQ(box->current()->message(0).date, (InternalDate{1700000000, 60}));
  auto reader = copy_->store().open_body(*box->current()->message(0).body);
  ASSERT_TRUE(reader);
  EXPECT_EQ(*reader->read_all(1000), "Subject: a\r\n\r\nb\r\n");
}

TEST_F(LocalAuthorityTest, what_is_published_is_durable) {
  MailboxPtr box = open("INBOX");
  append("INBOX", "x");
  EXPECT_EQ(copy_->store().durable(), copy_->store().appended());
  EXPECT_EQ(box->current()->size(), 1u);
}

TEST_F(LocalAuthorityTest, store_with_a_stale_unchanged_since_stores_nothing_and_names_the_message) {
  append("INBOX", "x");
  MailboxPtr box = open("INBOX");
  FlagChange change;
  change.mode = wire::base::FlagsMode::add;
  change.flags.system = wire::base::flagged;
  const ModSeq before = box->current()->modseq(0);
  auto first = run(context_, authority_->store(box, UidSet(Uid(1)), change, before));
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->modified.empty());
  EXPECT_GT(box->current()->modseq(0), before);
  change.flags.system = wire::base::answered;
  auto second = run(context_, authority_->store(box, UidSet(Uid(1)), change, before));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->modified, UidSet(Uid(1)));
  EXPECT_EQ(box->current()->system_flags(0), wire::base::flagged);
}

TEST_F(LocalAuthorityTest, expunge_takes_only_deleted_messages_of_the_set) {
  Flags deleted;
  deleted.system = wire::base::deleted;
  append("INBOX", "1", deleted);
  append("INBOX", "2");
  append("INBOX", "3", deleted);
  MailboxPtr box = open("INBOX");
  auto went = run(context_, authority_->expunge(box, UidSet(Uid(1), Uid(2))));
  ASSERT_TRUE(went);
  EXPECT_EQ(went->to_string(), "1");
  EXPECT_EQ(box->current()->uids().to_string(), "2:3");
  EXPECT_EQ(box->current()->vanished_since(ModSeq(1)).to_string(), "1");
}

TEST_F(LocalAuthorityTest, move_takes_messages_away_and_gives_them_in_one_batch) {
  append("INBOX", "1");
  append("INBOX", "2");
  ASSERT_TRUE(run(context_, authority_->create("Archive/2024", {})));
  MailboxPtr box = open("INBOX");
  auto moved = run(context_, authority_->copy(box, UidSet(Uid(1), Uid(2)), "Archive/2024", true));
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->from.size(), 2u);
  EXPECT_EQ(moved->to, (std::vector<Uid>{Uid(1), Uid(2)}));
  EXPECT_EQ(box->current()->size(), 0u);
  EXPECT_EQ(open("Archive/2024")->current()->size(), 2u);
}

TEST_F(LocalAuthorityTest, copy_to_a_mailbox_that_is_not_there_changes_nothing) {
  append("INBOX", "1");
  auto copied = run(context_, authority_->copy(open("INBOX"), UidSet(Uid(1)), "nowhere", true));
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, Errc::not_found);
  EXPECT_EQ(open("INBOX")->current()->size(), 1u);
}

TEST_F(LocalAuthorityTest, create_makes_the_names_above_and_refuses_bad_ones) {
  ASSERT_TRUE(run(context_, authority_->create("a/b/c", {})));
  EXPECT_EQ(names(), (std::vector<std::string>{"INBOX", "a", "a/b", "a/b/c"}));
  for (const char* bad : {"a//b", "/a", "x*", "x%", "&", "&AAA", "caf\xc3\xa9", "tab\there"}) {
    EXPECT_FALSE(run(context_, authority_->create(bad, {}))) << bad;
  }
  EXPECT_EQ(run(context_, authority_->create("a/b", {})).error().code, Errc::exists);
}

TEST_F(LocalAuthorityTest, rename_takes_the_names_below_along_and_renaming_inbox_leaves_an_empty_one) {
  ASSERT_TRUE(run(context_, authority_->create("a/b", {})));
  ASSERT_TRUE(run(context_, authority_->rename("a", "z/y")));
  EXPECT_EQ(names(), (std::vector<std::string>{"INBOX", "z", "z/y", "z/y/b"}));
  append("INBOX", "1");
  ASSERT_TRUE(run(context_, authority_->rename("INBOX", "old")));
  EXPECT_EQ(open("INBOX")->current()->size(), 0u);
  EXPECT_EQ(open("old")->current()->size(), 1u);
  EXPECT_FALSE(run(context_, authority_->rename("z", "z/below")));
  EXPECT_FALSE(run(context_, authority_->rename("nothing", "else")));
}

TEST_F(LocalAuthorityTest, a_recreated_mailbox_gets_a_higher_uid_validity_and_watchers_of_the_old_one_hear) {
  ASSERT_TRUE(run(context_, authority_->create("a", {})));
  MailboxPtr old = open("a");
  ASSERT_TRUE(run(context_, authority_->remove("a")));
  EXPECT_TRUE(old->gone());
  ASSERT_TRUE(run(context_, authority_->create("a", {})));
  EXPECT_GT(open("a")->info().uid_validity, old->info().uid_validity);
  EXPECT_FALSE(run(context_, authority_->remove("INBOX")));
}

TEST_F(LocalAuthorityTest, a_name_may_be_subscribed_that_does_not_exist) {
  ASSERT_TRUE(run(context_, authority_->subscribe("absent", true)));
  EXPECT_TRUE(copy_->tree()->subscribed("absent"));
  ASSERT_TRUE(run(context_, authority_->subscribe("absent", false)));
  EXPECT_FALSE(copy_->tree()->subscribed("absent"));
}

}  // namespace
}  // namespace gateway::source
